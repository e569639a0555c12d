package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// kinds are the names of file systems by their magic numbers, see statfs(2).
var kinds = map[int64]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "smb2", unix.SMB_SUPER_MAGIC: "smbfs",
	unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse", unix.AFS_SUPER_MAGIC: "afs", unix.CODA_SUPER_MAGIC: "coda",
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.F2FS_SUPER_MAGIC: "f2fs", unix.ECRYPTFS_SUPER_MAGIC: "ecryptfs",
	0x2fc12fc1: "zfs", // it has no name in the kernel
}

func volumeOf(path string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return volume{}, err
	}
	kind, ok := kinds[int64(uint32(st.Type))] //nolint:gosec,unconvert,nolintlint // the type differs from machine to machine
	if !ok {
		kind = fmt.Sprintf("kind %#x", st.Type)
	}
	// File systems that make inodes as they need them say that they have none.
	return volume{kind, st.Bavail * uint64(st.Bsize), st.Ffree, st.Files > 0}, nil //nolint:gosec // never negative
}
