# The formula, from source. `make dist` fills in what stands between two @; the
# result goes into the tap, see packaging/release.md.
class Moat < Formula
  desc "Run coding agents without handing them your keys"
  homepage "https://github.com/moatd/moatd"
  url "https://github.com/moatd/moatd/releases/download/v@VERSION@/moatd-@VERSION@.tar.gz"
  sha256 "@SHA256@"
  license "Apache-2.0"

  depends_on "go" => :build

  def install
    ENV["CGO_ENABLED"] = "0"
    ldflags = "-s -w -X main.version=#{version}"
    system "go", "build", *std_go_args(ldflags: ldflags, output: bin/"moat"), "./cmd/moat"
    ldflags += " -X main.commit=@COMMIT@"
    system "go", "build", *std_go_args(ldflags: ldflags, output: bin/"moatd"), "./cmd/moatd"

    generate_completions_from_executable(bin/"moat", "completion")
    system "go", "run", "./packaging/cmd/gendocs", "write", version.to_s, time.to_i.to_s, "docs"
    man1.install Dir["docs/man/*.1"]
    man5.install Dir["docs/man/*.5"]
    man8.install Dir["docs/man/*.8"]
  end

  # `service do` knows no Unix sockets, and the service lives by its sockets.
  def caveats
    <<~EOS
      To have the daemon started when it is needed:
        moat daemon install
      Before `brew uninstall`:
        moat daemon uninstall
    EOS
  end

  test do
    ENV["MOAT_HOME"] = (testpath/"home").to_s
    assert_match version.to_s, shell_output("#{bin}/moat --version")
    assert_match version.to_s, shell_output("#{bin}/moatd version")
    assert_match "not running", shell_output("#{bin}/moat status", 3)
    assert_match "granted github", pipe_output("#{bin}/moat grant github --no-validate", "secret-of-the-test")
  end
end
