package daemon

import "path/filepath"

// enginesOf returns the engines to ask, those of the caller's own first, on an
// operating system named as runtime.GOOS is.
func enginesOf(opts ContainerOptions, system string) []engine {
	var list []engine
	for _, path := range opts.Sockets {
		list = append(list, newSocketEngine(path, true))
	}
	docker := []string{"/var/run/docker.sock"}
	podman := []string{"/run/podman/podman.sock"}
	if dir := opts.RuntimeDir; dir != "" {
		docker = append(docker, filepath.Join(dir, "docker.sock"))
		podman = append(podman, filepath.Join(dir, "podman", "podman.sock"))
	}
	if home := opts.UserHome; home != "" {
		docker = append(docker,
			filepath.Join(home, ".docker", "run", "docker.sock"), // Docker Desktop on macOS
			filepath.Join(home, ".docker", "desktop", "docker.sock"),
			filepath.Join(home, ".colima", "default", "docker.sock"),
			filepath.Join(home, ".rd", "docker.sock"), // Rancher Desktop
		)
	}
	list = append(list, brand("docker", docker)...)
	list = append(list, brand("podman", podman)...)
	if system == "darwin" {
		list = append(list, &commandEngine{name: "container", args: []string{"inspect"}, read: readApple})
	}
	return list
}

// brand returns an engine for each socket, since each may be of another one, and
// the command for where there is none of them.
func brand(name string, paths []string) []engine {
	var list []engine
	command := &commandEngine{
		name: name,
		args: []string{"inspect", "--type", "container", "--format", "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"},
		read: readStatus,
	}
	for _, path := range paths {
		s := newSocketEngine(path, false)
		list, command.sockets = append(list, s), append(command.sockets, s)
	}
	return append(list, command)
}
