//! The container of an engine from its start on: it imports, loads its weights, profiles its memory, warms up, and then
//! serves. Until then it refuses connections; where its arguments do not fit its GPUs it dies when it finds out.

use super::Launch;
use super::engine::{Config, Engine, Speed, StartError};
use super::hardware::Product;
use super::number::{Us, us};
use super::page::vllm::{self, Life};
use super::page::{Speech, sglang, vllm_v0};
use crate::sim::scenario::Weights;

/// From the process' start to the first byte of weights: imports, configuration, process groups. In seconds.
const IMPORT_S: f64 = 21.0;

/// How far a container is.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// It loads until then.
    Loading(Us),
    /// It serves.
    Serving(Box<Engine>),
    /// Its process has ended.
    Dead,
}

/// A container.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) launch: Launch,
    pub(super) started: Us,
    pub(super) stage: Stage,
    pub(super) config: Result<Config, StartError>,
    pub(super) speed: Speed,
    pub(super) logs: Vec<(Us, String)>,
    /// What was counted when it last wrote a line of throughput: prompt and generated tokens.
    pub(super) logged: (u64, u64),
    /// Since when it serves.
    pub(super) serving_since: Us,
}

impl Container {
    /// A process starts; it loads weights at `gb_per_s`.
    pub(super) fn start(
        now: Us,
        launch: Launch,
        model: &Weights,
        gpus: &[Product],
        gb_per_s: f64,
        warm_up_s: f64,
    ) -> Self {
        let config = Config::new(&launch.args, model, gpus);
        let speed = Speed::of(model, gpus);
        let load_s = model.weights_gb / gb_per_s;
        let version = launch.image.rsplit_once(':').map_or("unknown", |(_, tag)| tag.trim_start_matches('v'));
        let mut logs = vec![
            (now + us(6.0), format!("INFO [api_server.py:1772] vLLM API server version {version}")),
            (now + us(6.1), format!("INFO [api_server.py:1773] args: {}", launch.args.join(" "))),
            (now + us(14.0), "INFO [core.py:77] Initializing a V1 LLM engine".to_owned()),
            (now + us(IMPORT_S), format!("INFO [gpu_model_runner.py:2392] Starting to load model {}", model.name)),
        ];
        let loaded = now + us(IMPORT_S + load_s);
        let mut ready = loaded + us(warm_up_s);
        let share = model.weights_gb / 1.073_741_824 / f64::from(u32::try_from(gpus.len()).unwrap_or(1).max(1));
        match &config {
            Err(StartError::GpusMissing { .. }) => ready = now + us(14.5),
            Err(_) => ready = loaded + us(warm_up_s * 0.3),
            Ok(config) => {
                let tokens = config.blocks * config.block_size;
                let concurrency = f64::from(tokens) / f64::from(config.max_model_len);
                // GPUs of one pod speak within its node.
                logs.extend((1..gpus.len()).map(|rank| {
                    let line = format!(
                        "{}:1:41 [{}] NCCL INFO Channel 00/0 : {}[{}] -> {rank}[{rank}] via P2P/CUMEM",
                        launch.pod,
                        rank - 1,
                        rank - 1,
                        rank - 1
                    );
                    (now + us(IMPORT_S * 0.6), line)
                }));
                logs.extend([
                    (loaded, format!("INFO [default_loader.py:267] Loading weights took {load_s:.2} seconds")),
                    (
                        loaded + us(0.6),
                        format!("INFO [gpu_model_runner.py:2422] Model loading took {share:.4} GiB and {load_s:.6} seconds"),
                    ),
                    (loaded + us(warm_up_s * 0.3), format!("INFO [kv_cache_utils.py:864] GPU KV cache size: {tokens} tokens")),
                    (
                        loaded + us(warm_up_s * 0.3 + 0.01),
                        format!(
                            "INFO [kv_cache_utils.py:868] Maximum concurrency for {} tokens per request: {concurrency:.2}x",
                            config.max_model_len
                        ),
                    ),
                    (
                        ready - us(2.0),
                        format!("INFO [core.py:193] init engine (profile, create kv cache, warmup model) took {warm_up_s:.2} seconds"),
                    ),
                    (ready, "INFO:     Application startup complete.".to_owned()),
                ]);
            }
        }
        Self {
            launch,
            started: now,
            stage: Stage::Loading(ready),
            config,
            speed,
            logs,
            logged: (0, 0),
            serving_since: ready,
        }
    }

    pub(super) fn engine(&self) -> Option<&Engine> {
        match &self.stage {
            Stage::Serving(engine) => Some(engine),
            _ => None,
        }
    }

    /// Its metrics page; `None`: nobody listens yet.
    pub(super) fn page(&self, now: Us) -> Option<String> {
        let life = Life { started: self.started, serving_since: self.serving_since, now };
        let engine = self.engine()?;
        Some(match Speech::of_image(&self.launch.image) {
            Speech::Vllm => vllm::write(engine, life),
            Speech::VllmV0 => vllm_v0::write(engine, life),
            Speech::Sglang => sglang::write(engine),
        })
    }

    pub(super) fn engine_mut(&mut self) -> Option<&mut Engine> {
        match &mut self.stage {
            Stage::Serving(engine) => Some(engine),
            _ => None,
        }
    }

    /// Its process ends by an error.
    pub(super) fn dies(&mut self, now: Us, error: &str) {
        self.logs.push((now, format!("ERROR [core.py:586] {error}")));
        self.logs.push((now, "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.".to_owned()));
        self.stage = Stage::Dead;
    }

    /// Loading is over: it serves, or it dies with an exit code.
    pub(super) fn loaded(&mut self, now: Us) -> Result<(), i32> {
        match &self.config {
            Ok(config) => {
                let speech = Speech::of_image(&self.launch.image);
                self.stage = Stage::Serving(Box::new(Engine::speaking(config.clone(), self.speed, now, speech)));
                Ok(())
            }
            Err(error) => {
                self.logs.push((now, format!("ERROR [core.py:586] ValueError: {error}")));
                self.logs.push((now, "RuntimeError: Engine core initialization failed.".to_owned()));
                self.stage = Stage::Dead;
                Err(1)
            }
        }
    }

    /// The line that vLLM writes every ten seconds.
    pub(super) fn log_throughput(&mut self, now: Us, every_s: f64) {
        let Stage::Serving(engine) = &self.stage else { return };
        let meters = &engine.meters;
        let (prompt, generated) = (meters.prompt_tokens, meters.generated);
        if (prompt, generated) == self.logged && meters.running == 0 && meters.waiting == 0 {
            return;
        }
        let rate = |now: u64, before: u64| (now - before) as f64 / every_s;
        let hit = 100.0 * meters.cache_hits as f64 / (meters.cache_queries.max(1)) as f64;
        let line = format!(
            "INFO [loggers.py:123] Engine 000: Avg prompt throughput: {:.1} tokens/s, Avg generation throughput: {:.1} \
             tokens/s, Running: {} reqs, Waiting: {} reqs, GPU KV cache usage: {:.1}%, Prefix cache hit rate: {hit:.1}%",
            rate(prompt, self.logged.0),
            rate(generated, self.logged.1),
            meters.running,
            meters.waiting,
            meters.kv_usage * 100.0,
        );
        self.logged = (prompt, generated);
        self.logs.push((now, line));
        // A container's log is read from its end: what is older than the last hours is of no use to anybody.
        if self.logs.len() > 1500 {
            self.logs.drain(20..520);
        }
    }
}
