//! What matters in a line of an engine's log, as data: words that such lines have, and what each means for the latency of
//! requests. The words are those of vLLM, SGLang, torch, NCCL and the NVIDIA driver.

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The model is being loaded, or warmed up.
    Loading,
    /// Memory ran out.
    OutOfMemory,
    /// Work was thrown away for lack of cache.
    Preemption,
    /// How GPUs speak with each other.
    Nccl,
    /// The driver or a kernel failed.
    Cuda,
    /// An error of another kind.
    Error,
    /// A warning of another kind.
    Warning,
}

impl Mark {
    /// Whether somebody who looks for what is wrong wants to stop there.
    pub const fn is_trouble(self) -> bool {
        !matches!(self, Self::Loading | Self::Nccl | Self::Warning)
    }
}

/// A kind of line: all of `words` stand in it, in lower case, and none of `not`.
struct Sign {
    words: &'static [&'static str],
    not: &'static [&'static str],
    mark: Mark,
    /// What it means, where the line does not say so itself.
    means: &'static str,
}

const fn sign(words: &'static [&'static str], mark: Mark, means: &'static str) -> Sign {
    Sign { words, not: &[], mark, means }
}

/// In the order in which they are tried: the most telling first.
const SIGNS: &[Sign] = &[
    sign(
        &["cuda out of memory"],
        Mark::OutOfMemory,
        "GPU memory ran out: lower --gpu-memory-utilization or --max-num-seqs",
    ),
    sign(
        &["outofmemoryerror"],
        Mark::OutOfMemory,
        "GPU memory ran out: lower --gpu-memory-utilization or --max-num-seqs",
    ),
    sign(&["no available memory for the cache blocks"], Mark::OutOfMemory, "the weights leave no room for a KV cache"),
    sign(
        &["kv cache", "larger than"],
        Mark::OutOfMemory,
        "one request of --max-model-len does not fit into the KV cache",
    ),
    sign(&["oom-kill"], Mark::OutOfMemory, "the container's memory limit was reached"),
    sign(&["out of memory"], Mark::OutOfMemory, ""),
    sign(&["preempted"], Mark::Preemption, "the KV cache is full: what was computed is computed again"),
    sign(&["retract requests"], Mark::Preemption, "the KV cache is full: what was computed is computed again"),
    sign(&["watchdog caught collective"], Mark::Cuda, "one rank of a collective is stuck: the whole engine hangs"),
    sign(
        &["nccl", "via net/", "gdrdma"],
        Mark::Nccl,
        "GPUDirect RDMA: from GPU to GPU across nodes without host memory",
    ),
    Sign {
        words: &["nccl", "via net/ib"],
        not: &["gdrdma"],
        mark: Mark::Nccl,
        means: "InfiniBand through host memory: GPUDirect RDMA is not used",
    },
    sign(&["nccl", "via net/socket"], Mark::Nccl, "TCP sockets between nodes: no RDMA"),
    sign(&["nccl", "via p2p"], Mark::Nccl, "within the node, from GPU to GPU"),
    sign(&["nccl", "via shm"], Mark::Nccl, "within the node, through host memory"),
    sign(&["nccl warn"], Mark::Cuda, "NCCL is in trouble"),
    sign(&["ncclsystemerror"], Mark::Cuda, "NCCL lost its network or a rank"),
    sign(&["ncclunhandledcudaerror"], Mark::Cuda, "a GPU failed under NCCL"),
    sign(&["cuda error"], Mark::Cuda, "a kernel failed on the GPU: the process cannot go on"),
    sign(&["device-side assert"], Mark::Cuda, "a kernel failed on the GPU: the process cannot go on"),
    sign(&["illegal memory access"], Mark::Cuda, "a kernel failed on the GPU: the process cannot go on"),
    sign(&["uncorrectable ecc"], Mark::Cuda, "the GPU's memory is broken: see the node's runbook"),
    sign(&["nvrm: xid"], Mark::Cuda, "the driver reports a fault of the GPU"),
    sign(&["loading safetensors checkpoint shards"], Mark::Loading, ""),
    sign(&["loading weights took"], Mark::Loading, ""),
    sign(&["model loading took"], Mark::Loading, ""),
    sign(&["starting to load model"], Mark::Loading, ""),
    sign(&["load weight begin"], Mark::Loading, ""),
    sign(&["load weight end"], Mark::Loading, ""),
    sign(&["capturing cuda graph"], Mark::Loading, ""),
    sign(&["graph capturing finished"], Mark::Loading, ""),
    sign(&["gpu kv cache size"], Mark::Loading, ""),
    sign(&["init engine"], Mark::Loading, ""),
    sign(&["application startup complete"], Mark::Loading, "from now on it answers"),
    sign(&["the server is fired up"], Mark::Loading, "from now on it answers"),
    sign(&["traceback"], Mark::Error, ""),
    sign(&["exception"], Mark::Error, ""),
    sign(&["error"], Mark::Error, ""),
    sign(&["fatal"], Mark::Error, ""),
    sign(&["critical"], Mark::Error, ""),
    sign(&["warn"], Mark::Warning, ""),
];

/// What a line is about and what it means; `None` for a line like any other. The meaning may be empty.
pub fn mark(line: &str) -> Option<(Mark, &'static str)> {
    let lower = line.to_lowercase();
    let holds =
        |sign: &&Sign| sign.words.iter().all(|w| lower.contains(w)) && !sign.not.iter().any(|w| lower.contains(w));
    SIGNS.iter().find(holds).map(|sign| (sign.mark, sign.means))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_systems_are_told_apart() {
        for (line, expected) in [
            ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", Mark::OutOfMemory),
            (
                "WARNING scheduler.py:1765] Sequence group 7 is preempted by PreemptionMode.RECOMPUTE mode",
                Mark::Preemption,
            ),
            ("KV cache pool is full. Retract requests. #retracted_reqs: 1", Mark::Preemption),
            ("host:1:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0/GDRDMA", Mark::Nccl),
            ("host:1:9 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/Socket/0", Mark::Nccl),
            ("[rank1]:[E] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=9)", Mark::Cuda),
            ("RuntimeError: CUDA error: an illegal memory access was encountered", Mark::Cuda),
            ("Loading safetensors checkpoint shards:  40% Completed | 12/30", Mark::Loading),
            ("INFO:     Application startup complete.", Mark::Loading),
            ("ERROR [core.py:586] ValueError: bad flag", Mark::Error),
            ("WARNING: something", Mark::Warning),
        ] {
            assert_eq!(mark(line).map(|(mark, _)| mark), Some(expected), "{line}");
        }
        assert_eq!(mark("INFO: 10.0.0.1 - \"POST /v1/completions HTTP/1.1\" 200 OK"), None);
    }

    #[test]
    fn how_gpus_speak_is_said_in_full() {
        let means = |line: &str| mark(line).map(|(_, means)| means).unwrap_or_default();
        assert!(means("NCCL INFO Channel 00 via NET/IB/0/GDRDMA").contains("without host memory"));
        assert!(means("NCCL INFO Channel 00 via NET/IB/0").contains("not used"));
        assert!(means("NCCL INFO Channel 00 via NET/Socket/0").contains("no RDMA"));
    }
}
