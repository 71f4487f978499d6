// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Containerfiles as the public writes them, built by buildah(1) and by `nsrun-rootfs build`: the same trees, and the same
/// is known of how they want to be run.
@Suite(ComparedBuilds.Making()) struct BuildComparisonTests {
    /// What they all begin with: `FROM base`, a root in the store and an image of buildah's.
    private static let begin = "FROM localhost/base"

    static let files: [(name: String, text: String)] = [
        (
            "a server in node's manner",
            """
            # syntax=docker/dockerfile:1
            ARG NODE_ENV=production
            \(begin) AS base
            WORKDIR /usr/src/app
            ARG NODE_ENV
            ENV NODE_ENV=${NODE_ENV:-development}
            COPY package*.json ./
            RUN mkdir -p node_modules && \\
                # what npm would fetch
                cat package.json package-lock.json > node_modules/.installed
            COPY . .
            EXPOSE 3000/tcp
            CMD [ "node", "server.js" ]
            """
        ),
        (
            "a program in go's manner",
            """
            \(begin) AS build
            WORKDIR /src
            COPY go.mod go.sum* ./
            COPY src src/
            RUN mkdir -p /out && cat src/*.go > /out/server && chmod 755 /out/server

            FROM scratch
            COPY --from=build /out/server /server
            COPY --from=build /etc/passwd /etc/
            USER 65532:65532
            ENTRYPOINT ["/server"]
            """
        ),
        (
            "an application in python's manner",
            """
            \(begin)
            ENV PYTHONDONTWRITEBYTECODE=1 \\
                PYTHONUNBUFFERED=1 \\
                PATH="/opt/venv/bin:$PATH"
            WORKDIR /app
            COPY requirements.txt .
            RUN set -eux; \\
                mkdir -p /opt/venv/bin; \\
                while read -r line; do echo "$line" >> /opt/venv/installed; done < requirements.txt; \\
                touch /opt/venv/bin/python; chmod +x /opt/venv/bin/python; \\
                rm -rf /root/.cache
            COPY --chmod=755 src/run.sh /usr/local/bin/entry
            RUN mkdir -p data && chmod 1777 data
            USER user
            ENTRYPOINT ["entry"]
            CMD ["--help"]
            """
        ),
        (
            "packages, and what they leave",
            """
            \(begin)
            ARG VERSION=1.2
            LABEL org.example.version="$VERSION" maintainer="Nobody <nobody@example.org>"
            LABEL description="two \\
            lines"
            RUN mkdir -p /var/lib/lists /usr/share/doc/x && touch /var/lib/lists/a /var/lib/lists/b \\
             && echo $VERSION > /usr/share/doc/x/version
            RUN rm -rf /var/lib/lists/* /usr/share/doc && mkdir -p /usr/share/doc
            RUN rmdir /usr/share/doc && ln -s /var/lib/lists /usr/share/doc
            STOPSIGNAL SIGQUIT
            """
        ),
        (
            "a web server",
            """
            \(begin)
            RUN mkdir -p /var/log/web /etc/web \\
                && ln -sf /dev/stdout /var/log/web/access.log \\
                && ln -sf /dev/stderr /var/log/web/error.log
            ADD site.tar.gz /usr/share/web/
            ADD package.json site.tar /srv/
            COPY src/run.sh /docker-entrypoint.d/10-run.sh
            VOLUME /var/cache/web
            ENTRYPOINT ["/docker-entrypoint.sh"]
            CMD ["web", "-g", "daemon off;"]
            """
        ),
        (
            "paths and variables",
            """
            ARG where=opt
            \(begin)
            ARG where
            ARG unset
            ENV dir=/$where/x name="two words" empty=
            WORKDIR $dir
            WORKDIR sub/../other
            COPY src/a.go ${dir}/${unset:-default}/
            COPY ["src/a.go", "with blank/b c", "$dir/list dir/"]
            RUN echo "$name|$empty|${unset:-none}|$where" > /values; pwd >> /values
            RUN ["/bin/sh", "-c", "echo '$dir' $dir >> /values"]
            ENV name=$dir/$name dir=other
            CMD echo $name
            """
        ),
        (
            "links and what takes their place",
            """
            \(begin)
            RUN mkdir -p /a/b /c && echo 1 > /a/b/x && ln -s /a/b /link && ln -s b /a/rel \\
             && echo 2 > /c/one && ln /c/one /c/two
            COPY src /link/
            COPY package.json /a/rel/p
            RUN rm -r /c/two && echo 3 >> /c/one && ln /a/b/x /c/moved && rm /a/b/x
            RUN rm /link && mkdir /link && touch /link/file
            COPY src/in /link/
            RUN rm -rf /a && echo file > /a
            """
        ),
        (
            "much of the context, and what is left out of it",
            """
            \(begin)
            COPY . /all/
            COPY src .git* /some/
            COPY src/*.go /go/
            COPY s*/[a-c]* /pattern/
            COPY with?blank /blank/
            """
        ),
        (
            "another shell, and stages that build upon each other",
            """
            \(begin) AS base
            SHELL ["/bin/sh", "-eu", "-c"]
            RUN echo $- > /flags
            ENV stage=base
            FROM base AS test
            RUN echo $- >> /flags; touch /tested
            FROM base AS never
            RUN exit 1
            FROM base
            COPY --from=test /flags /tested /from/
            COPY --from=0 /etc/group /from/base/
            RUN echo $stage > /stage
            # A list: of a text buildah makes one for /bin/sh, docker and nsrun-rootfs for the SHELL.
            CMD ["true"]
            """
        ),
        (
            "modes",
            """
            \(begin)
            RUN umask 077 && mkdir -p /private/deep && echo x > /private/deep/file
            COPY src/run.sh /private/
            RUN chmod 2775 /private/deep && chmod 640 /private/run.sh && mkdir -m 0700 /only
            COPY --chmod=0444 src/a.go src/run.sh /read/only/
            WORKDIR /made/here
            COPY src/in deep/er/
            RUN chmod 4755 /bin/cat
            """
        ),
    ]

    @Test(arguments: files.map(\.name)) func treesAreTheSame(_ name: String) throws {
        let shared = try #require(ComparedBuilds.made)
        let own = try TemporaryDirectory()
        let text = try #require(Self.files.first { $0.name == name }?.text)
        let file = try own.write(text, to: "Containerfile")
        let context = "\(shared.folder)/context"
        let image = "test-\(getpid())-\(name.hashValue.magnitude)"
        let built = try shared.buildah([
            "build", "--quiet", "--isolation", "chroot", "--layers=false", "--format", "docker",
            "--pull-never", "-t",
            image,
            "-f", file, context,
        ])
        #expect(built.status == 0, "\(built)")
        let pushed = try shared.buildah([
            "push", "--quiet", image, "oci-archive:\(own / "x.oci.tar")",
        ])
        #expect(pushed.status == 0, "\(pushed)")
        expect(
            try shared.rootfs(["import", "--quiet", own / "x.oci.tar", own / "theirs"]), exits: 0)
        let seen = try shared.rootfs([
            "build", "--quiet", "--context", context, file, own / "ours",
        ])
        #expect(seen.status == 0, "\(seen)")
        let ours = try shared.describe(own / "ours")
        let theirs = try shared.describe(own / "theirs")
        #expect(ours == theirs, "\(ours.difference(from: theirs))")
        let record = try shared.record(own / "ours")
        let other = try shared.record(own / "theirs")
        #expect(record == other)
    }
}

/// What the files are built from, the same for both: made once.
private struct ComparedBuilds {
    /// Of the base, the context and the stores.
    let folder: String

    @TaskLocal static var made: ComparedBuilds?

    func buildah(_ arguments: [String]) throws -> Outcome {
        try run(
            [
                "buildah", "--root", "\(folder)/store", "--runroot", "\(folder)/run",
                "--storage-driver", "vfs",
            ] + arguments,
            environment: ["XDG_RUNTIME_DIR": "\(folder)/runtime", "HOME": folder])
    }

    func rootfs(_ arguments: [String]) throws -> Outcome {
        try rootfsTool(
            arguments,
            environment: ["XDG_DATA_HOME": "\(folder)/data", "XDG_CACHE_HOME": "\(folder)/cache"])
    }

    struct Making: SuiteTrait, TestScoping {
        func provideScope(
            for test: Test, testCase: Test.Case?,
            performing function: @Sendable () async throws -> Void
        ) async throws {
            let folder = try TemporaryDirectory()
            let made = ComparedBuilds(folder: folder.path)
            try made.makeContext(in: folder)
            try made.makeBase(in: folder)
            try await ComparedBuilds.$made.withValue(made) { try await function() }
            withExtendedLifetime(folder) {}
        }
    }

    private func makeContext(in folder: TemporaryDirectory) throws {
        for (name, text) in [
            ("package.json", "{}\n"), ("package-lock.json", "{ }\n"), ("server.js", "js\n"),
            ("go.mod", "module x\n"), ("src/a.go", "a\n"), ("src/b.go", "b\n"), ("src/in/c", "c\n"),
            ("src/in/d/e", "e\n"), ("requirements.txt", "one==1\ntwo>=2\n"), (".gitignore", "x\n"),
            ("with blank/b c", "b c\n"), ("log/a.log", "log\n"), ("log/keep.log", "kept\n"),
            ("node_modules/x/y", "left out\n"), ("src/x.tmp", "left out\n"),
            (".dockerignore", "# what is made\nnode_modules\n**/*.tmp\nlog/*.log\n!log/keep.log\n"),
        ] {
            try folder.write(text, to: "context/\(name)")
        }
        try folder.write("#!/bin/sh\n", to: "context/src/run.sh", mode: 0o755)
        try folder.link("context/src/in/link", to: "../a.go")
        try folder.makeDirectory("context/empty")
        try folder.makeDirectory("runtime")
        let context = folder / "context"
        expect(
            try run([
                "sh", "-euc",
                """
                cd "$0"; tar -cf site.tar src/in package.json
                gzip -nk site.tar; find . -exec touch -h -d 2020-01-01 {} +
                """, context,
            ]), exits: 0)
    }

    /// The same root for both.
    private func makeBase(in folder: TemporaryDirectory) throws {
        let bare = try BareRoot(with: [
            "cat", "chmod", "ln", "mkdir", "rm", "rmdir", "touch",
        ])
        // Where buildah mounts something, there is something already: it leaves such places behind.
        for name in ["dev", "proc", "run", "sys", "tmp", "root", "home/user", "usr/local/bin"] {
            try bare.directory.makeDirectory(name)
        }
        for name in ["hosts", "hostname", "resolv.conf"] {
            try bare.directory.write("", to: "etc/\(name)")
        }
        let accounts = "root:x:0:0::/root:/bin/sh\nuser:x:7:8::/home/user:/bin/sh\n"
        try bare.directory.write(accounts, to: "etc/passwd")
        try bare.directory.write("root:x:0:\nusers:x:8:\n", to: "etc/group")
        expect(try rootfs(["import", "--quiet", bare.path, "base"]), exits: 0)
        expect(try rootfs(["export", "--quiet", "base", folder / "base.tar"]), exits: 0)
        let file = try folder.write("FROM scratch\nADD base.tar /\n", to: "Base")
        let built = try buildah([
            "build", "--quiet", "-t", "localhost/base", "-f", file, folder.path,
        ])
        #expect(built.status == 0, "\(built)")
    }

    /// Names, kinds, modes without the bits that nsrun-rootfs never keeps, sizes, links and contents.
    func describe(_ root: String) throws -> [String] {
        let script = """
            cd "$0"; find . -mindepth 1 -path ./.nsrun -prune -o -printf '%P %y %m %l\\n' \
              | sed -E 's/ ([df]) [2467]([0-7]{3}) / \\1 \\2 /' | sort
            find . -path ./.nsrun -prune -o -type f -exec sha256sum {} + | sort
            """
        let seen = try run(["sh", "-c", script, root])
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        return seen.lines
    }

    /// What is known of how it wants to be run, but for what buildah says of itself.
    func record(_ root: String) throws -> [String] {
        let seen = try rootfs(["show", root])
        #expect(seen.status == 0, "\(seen)")
        return seen.lines.filter { line in
            // And for the PATH that it writes down where an image says nothing of it.
            line != "env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                && !["path ", "origin ", "suite ", "architecture ", "label io.buildah."].contains {
                    line.hasPrefix($0)
                }
        }
    }
}
