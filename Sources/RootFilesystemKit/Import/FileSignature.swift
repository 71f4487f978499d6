// SPDX-License-Identifier: Apache-2.0

/// What a file is by its first bytes, where it is not what was hoped for.
struct FileSignature {
    /// How much of a file has to be seen: the magic number of btrfs lies deepest.
    static let length = 65600 + 8

    /// What it is, in words that follow "it is".
    let name: String
    let remedy: String

    /// Nil for a tar, and for what is not known.
    init?(of head: UnsafeRawBufferPointer) {
        if Self.isTar(head) { return nil }
        func has(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
            head.count >= offset + bytes.count
                && head[offset..<(offset + bytes.count)].elementsEqual(bytes)
        }
        func has(_ text: String, at offset: Int = 0) -> Bool { has(Array(text.utf8), at: offset) }

        // File systems and disks first: the beginning of some is for a loader of any kind.
        let disks: [(name: String, found: Bool)] = [
            ("an ext2, ext3 or ext4 file system", has([0x53, 0xef], at: 1080)),
            ("an XFS file system", has("XFSB")),
            ("a btrfs file system", has("_BHRfS_M", at: 65600)),
            ("an F2FS file system", has([0x10, 0x20, 0xf5, 0xf2], at: 1024)),
            ("an EROFS file system", has([0xe2, 0xe1, 0xf5, 0xe0], at: 1024)),
            ("a cramfs file system", has([0x45, 0x3d, 0xcd, 0x28])),
            ("a romfs file system", has("-rom1fs-")),
            (
                "the image of a disk in the form qcow",
                has("QFI\u{fb}".unicodeScalars.map { UInt8($0.value) })
            ),
            ("the image of a disk in the form VMDK", has("KDMV") || has("# Disk DescriptorFile")),
            ("the image of a disk in the form VHDX", has("vhdxfile")),
            ("the image of a disk in the form VHD", has("conectix")),
            ("the image of a disk in the form VDI", has([0x7f, 0x10, 0xda, 0xbe], at: 64)),
            ("an encrypted disk", has("LUKS\u{ba}\u{be}".unicodeScalars.map { UInt8($0.value) })),
            ("a physical volume of LVM", has("LABELONE", at: 512)),
        ]
        if let disk = disks.first(where: \.found) {
            self.init(name: disk.name, remedy: Self.diskRemedy("FILE"))
            return
        }
        if has("CD001", at: 32769) {
            self.init(name: "an ISO 9660 file system, as of a CD", remedy: Self.archiveRemedy)
            return
        }
        if has("EFI PART", at: 512) || has("EFI PART", at: 4096) || has([0x55, 0xaa], at: 510) {
            self.init(
                name: "the image of a disk with partitions", remedy: Self.diskRemedy("FILE"))
            return
        }
        if has("SIF_MAGIC", at: 32) {
            self.init(
                name: "a SIF, an image of Apptainer's",
                remedy: "unpack it first: apptainer build --sandbox DIR FILE")
            return
        }
        let archives: [(name: String, found: Bool)] = [
            ("a zip archive", has("PK\u{3}\u{4}") || has("PK\u{5}\u{6}")),
            ("a 7z archive", has([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c])),
            ("a RAR archive", has("Rar!")), ("a xar archive", has("xar!")),
            (
                "a cpio archive",
                has("070701") || has("070702") || has("070707") || has([0xc7, 0x71])
            ),
            ("an RPM package", has([0xed, 0xab, 0xee, 0xdb])),
            ("packed by lzop", has([0x89, 0x4c, 0x5a, 0x4f, 0])), ("packed by lrzip", has("LRZI")),
        ]
        if let archive = archives.first(where: \.found) {
            self.init(name: archive.name, remedy: Self.archiveRemedy)
            return
        }
        if has("!<arch>\ndebian") {
            self.init(
                name: "a Debian package", remedy: "nsrun-rootfs unpack DEST FILE.deb unpacks those")
        } else if has("!<arch>\n") {
            self.init(name: "an ar archive", remedy: Self.archiveRemedy)
        } else if has([0x1f, 0x8b]) || has("BZh") || has([0xfd, 0x37, 0x7a, 0x58, 0x5a])
            || has([0x28, 0xb5, 0x2f, 0xfd]) || has([0x04, 0x22, 0x4d, 0x18]) || has("LZIP")
        {
            self.init(name: "compressed twice", remedy: "undo the outer compression first")
        } else if has("sqsh") || has("qshs") || has("shsq") || has("hsqt") {
            self.init(
                name: "a squashfs of a form that is no longer read",
                remedy: "make it again with mksquashfs")
        } else if has("\u{7f}ELF") || has("#!") {
            self.init(
                name: "a program",
                remedy: "import what it unpacks: an AppImage with --appimage-extract")
        } else if has("{") || has("[") {
            self.init(
                name: "a document", remedy: "import the directory or archive that it came in")
        } else {
            return nil
        }
    }

    private init(name: String, remedy: String) {
        self.name = name
        self.remedy = remedy
    }

    static func isSquashfs(_ head: UnsafeRawBufferPointer) -> Bool {
        head.starts(with: Array("hsqs".utf8))
    }

    /// What may be written into the shell for a disk or a file system.
    static func diskRemedy(_ file: String) -> String {
        "take the files out: virt-tar-out -a \(file) / - | nsrun-rootfs import - DEST (package guestfs-tools)"
    }

    private static let archiveRemedy =
        "unpack it into a directory first (bsdtar -xf FILE -C DIR), and import that"

    /// Whether the first header's sum is right: then the file is a tar, however its first name begins. tar(5)
    static func isTar(_ head: UnsafeRawBufferPointer) -> Bool {
        guard head.count >= 512 else { return false }
        let field = 148..<156
        let digits = head[field].drop { $0 == UInt8(ascii: " ") || $0 == 0 }
            .prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty else { return false }
        let said = digits.reduce(0) { $0 * 8 + Int($1) - 0x30 }
        func sum(_ value: (UInt8) -> Int) -> Int {
            (0..<512).reduce(0) { $0 + (field.contains($1) ? 0x20 : value(head[$1])) }
        }
        // Some old ones took bytes for signed.
        return said == sum { Int($0) } || said == sum { Int(Int8(bitPattern: $0)) }
    }
}
