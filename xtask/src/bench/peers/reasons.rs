//! Why targets are missed. A row that misses one and is not here is told loudly.

/// Why a row, or one of ours alone, misses a target, as profiling found it.
pub(super) struct Reason {
    pub(super) row: &'static str,
    pub(super) why: &'static str,
}

pub(super) const REASONS: [Reason; 4] = [
    Reason {
        row: "large",
        why: "the floor misses it too, at 0.55× of franz-go. Of our time the kernel takes 47 % to \
              write to the socket, the checksum 19 %, and copying the value into the batch 8 %: a \
              quarter is left to save from.",
    },
    Reason {
        row: "far",
        why: "the default settings are the bound: five requests of 1 MiB \
              (`max.in.flight.requests.per.connection`, `max.request.size`) in 10 ms are 4.8 \
              million records a second, and 77 % of that is reached; the rest goes into writing 5 \
              MB in each round. franz-go has no such bound for one partition.",
    },
    Reason {
        row: "paced",
        why: "a record crosses four threads that sleep: that of I/O, the broker's, that of I/O \
              again, and the one for callbacks, in which the time is taken. `strace` shows one \
              system call for each and none besides, but two cores have five threads to wake, and \
              the slowest hundredth has waited for a core twice. All clients have that; twice as \
              good would take polling, which an idle producer would pay for.",
    },
    Reason {
        row: "keyed-10000",
        why: "a batch has ten records then, where it has thousands otherwise: what a batch costs \
              (about 15 µs: its memory, its place in request and answer, its outcome, and the \
              caches that 10,000 queues do not fit into) is shared by ten. Keyless records, which \
              stay with a partition until its batch is full, cost no more than with 6 partitions.",
    },
];
