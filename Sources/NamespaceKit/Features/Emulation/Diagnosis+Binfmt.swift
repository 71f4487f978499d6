// SPDX-License-Identifier: Apache-2.0

import CNamespace

extension Diagnosis {
    /// Why an emulator could not be registered.
    func binfmt(_ step: Step, _ code: Int32, _ call: nsrun_call) -> LaunchError {
        let what = "cannot \(step.plainDescription)"
        guard call == NSRUN_CALL_CONTENT else {
            // Before Linux 6.7 the kernel refuses the mount; without binfmt_misc there is none.
            return LaunchError(
                .setup,
                "\(what): this kernel has no binfmt_misc of a run's own (\(reason(code)))",
                remedy: "Linux 6.7 or newer with CONFIG_BINFMT_MISC has it; or ask the "
                    + "administrator to install qemu-user-static, which registers it for the host",
                code: code)
        }
        switch code {
        case ENOENT:
            return LaunchError(
                .setup, "\(what): the emulator is not there",
                remedy: "install it, or name another with \(words.emulator)", code: code)
        case EACCES, ENOEXEC:
            return LaunchError(
                .setup, "\(what): the emulator cannot be executed",
                remedy: "it must be a program of this machine with execute permission, on a file "
                    + "system without noexec", code: code)
        case EEXIST:
            return LaunchError(
                .setup, "\(what): there is a record of that name already", code: code)
        case EINVAL:
            return LaunchError(
                .setup, "\(what): the kernel does not understand the record",
                remedy: "look at the line in binfmt.d that it comes from", code: code)
        default: return error(what, code)
        }
    }
}
