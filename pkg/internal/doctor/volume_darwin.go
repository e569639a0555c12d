package doctor

import "golang.org/x/sys/unix"

func volumeOf(path string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return volume{}, err
	}
	return volume{unix.ByteSliceToString(st.Fstypename[:]), st.Bavail * uint64(st.Bsize), st.Ffree, st.Files > 0}, nil
}
