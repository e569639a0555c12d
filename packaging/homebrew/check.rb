# Builds and tests a formula without Homebrew: check.rb FORMULA SOURCE-ARCHIVE.
# It knows of Homebrew's language what our formula uses, and fails at all else.
require "digest"
require "fileutils"
require "open3"
require "pathname"
require "tmpdir"

# Homebrew's, as far as moat.rb goes.
class Formula
  class << self
    attr_reader :built, :tested, :told

    def facts = (@facts ||= {})
    %w[desc homepage url sha256 license].each { |name| define_method(name) { |value| facts[name] = value } }
    def depends_on(what) = facts["depends_on"] = what
    def test(&block) = @tested = block
    def inherited(formula) = (super; @formula = formula)
    attr_reader :formula
  end

  attr_reader :prefix, :testpath

  def initialize(prefix, testpath)
    @prefix = Pathname(prefix)
    @testpath = Pathname(testpath)
  end

  def version = self.class.facts["url"][%r{/v([^/]+)/}, 1]
  def time = Time.at(1_795_573_130)
  def bin = Directory.new(@prefix/"bin")
  %w[1 5 8].each { |n| define_method("man#{n}") { Directory.new(@prefix/"share/man/man#{n}") } }
  def std_go_args(ldflags:, output:) = ["-trimpath", "-o=#{output}", "-ldflags=#{ldflags}"]

  def system(*command)
    Kernel.system(*command.map(&:to_s)) || raise("#{command.join(" ")} failed")
  end

  def generate_completions_from_executable(program, *args)
    %w[bash zsh fish].each { |shell| shell_output("#{program} #{args.join(" ")} #{shell}").empty? && raise("nothing for #{shell}") }
  end

  def shell_output(command, code = 0) = pipe_output(command, "", code)

  def pipe_output(command, input, code = 0)
    out, status = Open3.capture2e(command, stdin_data: input)
    raise "#{command}: exit #{status.exitstatus}, want #{code}: #{out}" if status.exitstatus != code
    out
  end

  def assert_match(want, got)
    raise "#{got.inspect}: want #{want} in it" unless got.include?(want.to_s)
  end
end

# A place to install into.
class Directory < Pathname
  def install(files)
    raise "nothing to install into #{self}" if files.empty?
    FileUtils.mkdir_p(self)
    FileUtils.cp(files, self)
  end
end

formula, archive = ARGV
load File.expand_path(formula)
facts = Formula.formula.facts
%w[desc homepage url sha256 license depends_on].each { |name| raise "no #{name}" unless facts[name] }
raise "the description is too long for Homebrew" if facts["desc"].length > 80
raise "the checksum is another archive's" if facts["sha256"] != Digest::SHA256.file(archive).hexdigest
raise "the name is another archive's" if File.basename(facts["url"]) != File.basename(archive)
raise "a placeholder is left" if File.read(formula) =~ /@[A-Z0-9]+@/

Dir.mktmpdir do |dir|
  source = File.join(dir, "source")
  FileUtils.mkdir_p([source, File.join(dir, "test"), File.join(dir, "prefix")])
  Kernel.system("tar", "-xzf", File.expand_path(archive), "-C", source, "--strip-components", "1") || raise("tar failed")
  it = Formula.formula.new(File.join(dir, "prefix"), File.join(dir, "test"))
  Dir.chdir(source) { it.install }
  it.instance_exec(&Formula.formula.tested)
  raise "no manual" unless File.exist?(File.join(dir, "prefix/share/man/man1/moat.1"))
  raise "no caveats" unless it.caveats.include?("moat daemon install")
end
puts "the formula builds, installs and tests"
