// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Tells the user on standard error how long work goes on: a bar on a terminal, a line a step
/// elsewhere, nothing when asked to be quiet.
public final class ProgressReport {
    private enum Style { case bar, lines, silent }

    private let style: Style
    private let output: (String) -> Void
    private var step = ""
    private var shownPercent: Int64 = -1

    /// Whether it is worth finding out how much there is to do.
    var isBar: Bool { style == .bar }

    public init(quiet: Bool) {
        style = quiet ? .silent : isatty(STDERR_FILENO) == 1 ? .bar : .lines
        output = { text in
            var bytes = Array(text.utf8)
            _ = Glibc.write(STDERR_FILENO, &bytes, bytes.count)
        }
    }

    /// Lines for somebody else than the user.
    init(output: @escaping (String) -> Void) {
        style = .lines
        self.output = output
    }

    /// An error, too, starts on a clean line.
    deinit { end() }

    /// Begins a step, such as `unpacking`.
    public func begin(_ step: String) {
        end()
        let step = step.harmlessLine
        self.step = step
        if style == .lines { write("nsrun-rootfs: \(step)\n") }
        if style == .bar { draw(0) }
    }

    /// `done` of `total`, in any unit.
    public func advance(to done: Int64, of total: Int64) {
        guard style == .bar, total > 0 else { return }
        let percent = min(100, done * 100 / total)
        if percent != shownPercent { draw(percent) }
    }

    /// `bytes` of nobody knows how many.
    func advance(to bytes: Int64) {
        guard style == .bar, bytes > 0 else { return }
        shownPercent = 0
        write("\r\u{1B}[K\(step) \(bytes >> 20).\((bytes & 0xfffff) * 10 >> 20) MiB")
    }

    /// The same with the name of the part that begins: a line of its own where there is no bar.
    func advance(to done: Int64, of total: Int64, _ part: String) {
        if style == .lines { write("nsrun-rootfs:   \(part.harmlessLine)\n") }
        advance(to: done, of: total)
    }

    /// What a program says while it runs: where there is a bar, it is enough that it moves.
    func say(_ text: String) {
        if style == .lines { write("nsrun-rootfs:   \(text.harmlessLine)\n") }
    }

    /// Takes the bar off the screen; whatever comes next starts on a clean line.
    public func end() {
        if style == .bar, shownPercent >= 0 { write("\r\u{1B}[K") }
        shownPercent = -1
    }

    /// Something the user should know although all went well.
    public func note(_ text: String) {
        guard style != .silent else { return }
        end()
        write("nsrun-rootfs: \(text.harmlessLine)\n")
    }

    private func draw(_ percent: Int64) {
        shownPercent = percent
        let width = 30
        let filled = Int(percent) * width / 100
        let bar =
            String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        write("\r\u{1B}[K\(step) [\(bar)] \(percent)%")
    }

    private func write(_ text: String) { output(text) }
}
