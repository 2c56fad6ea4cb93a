//! The memory of processes, from /proc/PID/status (proc_pid_status(5)).

/// Returns a field of the status of `process`, a process id or `self`, in bytes. Examples: `VmRSS`, the present
/// memory, and `VmHWM`, its peak.
pub(crate) fn memory_of(process: &str, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("/proc");
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes = value.and_then(|value| value.trim().strip_suffix(" kB")).expect("a size");
    1024 * kibibytes.parse::<usize>().expect("a number")
}
