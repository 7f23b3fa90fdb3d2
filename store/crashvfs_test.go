package store

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The tap is a VFS between SQLite and the one that it always uses on unix. It passes everything on, and
// tells a recorder what is done to the files of its folder. It becomes the default VFS, so that the store
// need not know of it; a file in a folder without a recorder is the unix VFS's alone.
//
// SQLite calls it by address, so there is one for the process.
var theTap tap

type tap struct {
	once    sync.Once
	unix    lib.Tsqlite3_vfs
	methods uintptr  // of files that are listened to
	folders sync.Map // path -> *recorder
	handles sync.Map // number -> *tapHandle
	last    atomic.Uint64
}

// A tapped is what SQLite holds of an open file; what the unix VFS holds of it stands beneath.
type tapped struct {
	methods uintptr
	handle  uint64
}

const beneathTap = unsafe.Sizeof(tapped{})

// A tapHandle is an open file that is listened to.
type tapHandle struct {
	r       *recorder
	file    int
	name    string
	dirSync bool // its first sync is one of the folder too
}

// at is what stands at an address of C memory.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// callee is the function at an address, address that of a function of ours.
func callee[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

func address(f any) uintptr {
	type words [2]uintptr
	return (*words)(unsafe.Pointer(&f))[1]
}

type (
	openFunc   = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc = func(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32
)

// install makes the tap the default VFS.
func (t *tap) install() { t.once.Do(t.register) }

func (t *tap) register() {
	tls := libc.NewTLS()
	t.unix = *at[lib.Tsqlite3_vfs](lib.Xsqlite3_vfs_find(tls, 0))
	t.methods = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
	vfs := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	name, err := libc.CString("tap")
	if err != nil || vfs == 0 || t.methods == 0 {
		panic("no memory for a VFS")
	}
	*at[lib.Tsqlite3_io_methods](t.methods) = tapMethods()
	v := at[lib.Tsqlite3_vfs](vfs)
	*v = t.unix
	v.FzName, v.FszOsFile = name, v.FszOsFile+int32(beneathTap)
	v.FxOpen, v.FxDelete = address(openFunc(tapOpen)), address(deleteFunc(tapDelete))
	if rc := lib.Xsqlite3_vfs_register(tls, vfs, 1); rc != lib.SQLITE_OK {
		panic(rc)
	}
}

// recorder is who listens to the folder of a file; nil if nobody does.
func (t *tap) recorder(name uintptr) (r *recorder, base string) {
	if name == 0 {
		return nil, ""
	}
	path := libc.GoString(name)
	if got, ok := t.folders.Load(filepath.Dir(path)); ok {
		r = got.(*recorder)
	}
	return r, filepath.Base(path)
}

// synced tells the recorder of a folder of an fsync there, or in a folder of it.
func (t *tap) synced(path string) {
	for _, folder := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if r, ok := t.folders.Load(folder); ok {
			name, _ := filepath.Rel(folder, path) // one begins with the other
			r.(*recorder).synced(name)
		}
	}
}

func (t *tap) handle(file uintptr) *tapHandle {
	h, _ := t.handles.Load(at[tapped](file).handle)
	return h.(*tapHandle)
}

func tapOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	open := callee[openFunc](theTap.unix.FxOpen)
	r, base := theTap.recorder(name)
	if r == nil {
		return open(tls, vfs, name, file, flags, out)
	}
	*at[tapped](file) = tapped{}
	r.opens()
	if rc := open(tls, vfs, name, file+beneathTap, flags, out); rc != lib.SQLITE_OK {
		return rc
	}
	h := &tapHandle{r: r, file: r.opened(base), name: base}
	// As the unix VFS has it: the file may be new, and is one without which nothing can be rolled back.
	h.dirSync = flags&lib.SQLITE_OPEN_CREATE != 0 &&
		flags&(lib.SQLITE_OPEN_MAIN_JOURNAL|lib.SQLITE_OPEN_SUPER_JOURNAL|lib.SQLITE_OPEN_WAL) != 0
	n := theTap.last.Add(1)
	theTap.handles.Store(n, h)
	*at[tapped](file) = tapped{methods: theTap.methods, handle: n}
	return lib.SQLITE_OK
}

func tapDelete(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32 {
	rc := callee[deleteFunc](theTap.unix.FxDelete)(tls, vfs, name, dirSync)
	if r, base := theTap.recorder(name); r != nil && rc == lib.SQLITE_OK {
		r.add(op{kind: opUnlink, name: base})
		if dirSync != 0 {
			r.add(op{kind: opSyncFolder, name: "."})
		}
	}
	return rc
}

// The methods of a file. Each passes on to the unix VFS's own.

type (
	fileFunc  = func(tls *libc.TLS, file uintptr) int32
	flagFunc  = func(tls *libc.TLS, file uintptr, flags int32) int32
	wordFunc  = func(tls *libc.TLS, file, out uintptr) int32
	bytesFunc = func(tls *libc.TLS, file, bytes uintptr, n int32, off int64) int32
	sizeFunc  = func(tls *libc.TLS, file uintptr, size int64) int32
	tellFunc  = func(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32
	mapFunc   = func(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32
	shareFunc = func(tls *libc.TLS, file uintptr, from, n, flags int32) int32
	fenceFunc = func(tls *libc.TLS, file uintptr)
)

// beneath is the unix VFS's part of a file, and its methods.
func beneath(file uintptr) (uintptr, *lib.Tsqlite3_io_methods) {
	file += beneathTap
	return file, at[lib.Tsqlite3_io_methods](at[lib.Tsqlite3_file](file).FpMethods)
}

func tapMethods() lib.Tsqlite3_io_methods {
	return lib.Tsqlite3_io_methods{
		FiVersion: 2, // the third would let SQLite map a file
		FxClose:   address(fileFunc(tapClose)), FxRead: address(bytesFunc(tapRead)), FxWrite: address(bytesFunc(tapWrite)),
		FxTruncate: address(sizeFunc(tapTruncate)), FxSync: address(flagFunc(tapSync)), FxFileSize: address(wordFunc(tapFileSize)),
		FxLock: address(flagFunc(tapLock)), FxUnlock: address(flagFunc(tapUnlock)),
		FxCheckReservedLock: address(wordFunc(tapReserved)), FxFileControl: address(tellFunc(tapControl)),
		FxSectorSize: address(fileFunc(tapSector)), FxDeviceCharacteristics: address(fileFunc(tapDevice)),
		FxShmMap: address(mapFunc(tapShmMap)), FxShmLock: address(shareFunc(tapShmLock)),
		FxShmBarrier: address(fenceFunc(tapShmBarrier)), FxShmUnmap: address(flagFunc(tapShmUnmap)),
	}
}

func tapClose(tls *libc.TLS, file uintptr) int32 {
	theTap.handles.Delete(at[tapped](file).handle)
	f, m := beneath(file)
	return callee[fileFunc](m.FxClose)(tls, f)
}

func tapRead(tls *libc.TLS, file, bytes uintptr, n int32, off int64) int32 {
	f, m := beneath(file)
	return callee[bytesFunc](m.FxRead)(tls, f, bytes, n, off)
}

func tapWrite(tls *libc.TLS, file, bytes uintptr, n int32, off int64) int32 {
	h := theTap.handle(file)
	h.r.add(op{kind: opWrite, file: h.file, off: off, data: append([]byte(nil), unsafe.Slice(at[byte](bytes), n)...)})
	f, m := beneath(file)
	return callee[bytesFunc](m.FxWrite)(tls, f, bytes, n, off)
}

func tapTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	h := theTap.handle(file)
	h.r.add(op{kind: opTruncate, file: h.file, off: size})
	f, m := beneath(file)
	return callee[sizeFunc](m.FxTruncate)(tls, f, size)
}

func tapSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f, m := beneath(file)
	rc := callee[flagFunc](m.FxSync)(tls, f, flags)
	if h := theTap.handle(file); rc == lib.SQLITE_OK {
		h.r.add(op{kind: opSync, file: h.file, name: h.name})
		if h.dirSync {
			h.dirSync = false
			h.r.add(op{kind: opSyncFolder, name: "."})
		}
	}
	return rc
}

func tapFileSize(tls *libc.TLS, file, out uintptr) int32 {
	f, m := beneath(file)
	return callee[wordFunc](m.FxFileSize)(tls, f, out)
}

func tapLock(tls *libc.TLS, file uintptr, level int32) int32 {
	f, m := beneath(file)
	return callee[flagFunc](m.FxLock)(tls, f, level)
}

func tapUnlock(tls *libc.TLS, file uintptr, level int32) int32 {
	f, m := beneath(file)
	return callee[flagFunc](m.FxUnlock)(tls, f, level)
}

func tapReserved(tls *libc.TLS, file, out uintptr) int32 {
	f, m := beneath(file)
	return callee[wordFunc](m.FxCheckReservedLock)(tls, f, out)
}

func tapControl(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32 {
	f, m := beneath(file)
	return callee[tellFunc](m.FxFileControl)(tls, f, op, arg)
}

func tapSector(tls *libc.TLS, file uintptr) int32 {
	f, m := beneath(file)
	return callee[fileFunc](m.FxSectorSize)(tls, f)
}

func tapDevice(tls *libc.TLS, file uintptr) int32 {
	f, m := beneath(file)
	return callee[fileFunc](m.FxDeviceCharacteristics)(tls, f)
}

func tapShmMap(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32 {
	f, m := beneath(file)
	return callee[mapFunc](m.FxShmMap)(tls, f, region, size, extend, out)
}

func tapShmLock(tls *libc.TLS, file uintptr, from, n, flags int32) int32 {
	f, m := beneath(file)
	return callee[shareFunc](m.FxShmLock)(tls, f, from, n, flags)
}

func tapShmBarrier(tls *libc.TLS, file uintptr) {
	f, m := beneath(file)
	callee[fenceFunc](m.FxShmBarrier)(tls, f)
}

func tapShmUnmap(tls *libc.TLS, file uintptr, flags int32) int32 {
	f, m := beneath(file)
	return callee[flagFunc](m.FxShmUnmap)(tls, f, flags)
}
