//! Signals that a process was started to ignore.

/// Returns true if this process ignores a signal (SIG_IGN), as far as the system tells without a call
/// that changes it: Linux does (`SigIgn` of proc_pid_status(5)), for others the answer is false.
pub(crate) fn ignores_signal(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
