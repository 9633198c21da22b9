//! Causes come in: what a scenario's file changes below and in front of the engines.

use super::super::Happened;
use super::super::container::{Container, Stage};
use super::super::number::{to_at, us};
use super::Model;
use crate::sim::scenario::Fault;

impl Model {
    pub(super) fn fault(&mut self, number: usize) {
        match self.faults[number].clone() {
            Fault::Traffic(change) => {
                for class in 0..self.classes.len() {
                    if self.classes[class].change(&change) {
                        self.new_arrivals(class);
                        self.more_users(class);
                    }
                }
            }
            Fault::Heat(heat) => self.gpus(&heat.node, heat.gpu, |gpu| gpu.heat = heat.kelvins),
            Fault::PowerLimit(limit) => {
                self.gpus(&limit.node, limit.gpu, |gpu| gpu.limit_w = limit.watts);
            }
            Fault::PowerBrake(brake) => {
                self.gpus(&brake.node, brake.gpu, |gpu| gpu.brake = brake.clock.clamp(0.05, 1.0));
            }
            Fault::LostGpu(lost) => {
                self.gpus(&lost.node, Some(lost.gpu), super::Gpu::lose);
                self.dies_on(&lost.node, lost.gpu);
            }
            Fault::MemoryErrors(errors) => self.gpus(&errors.node, Some(errors.gpu), |gpu| {
                gpu.errors_per_min = (errors.corrected_per_min, errors.uncorrected_per_min);
                gpu.bandwidth = (1.0 - errors.bandwidth_lost).clamp(0.05, 1.0);
            }),
            Fault::BusyHost(host) => {
                self.host.insert(host.node, host.left.clamp(0.01, 1.0));
            }
            Fault::Gateway(change) => {
                let gateway = &mut self.gateway;
                gateway.settings.overhead = change.overhead.unwrap_or(gateway.settings.overhead);
                gateway.settings.routing = change.routing.unwrap_or(gateway.settings.routing);
                gateway.buffers = change.buffers.unwrap_or(gateway.buffers);
                gateway.refuses = change.refuses.unwrap_or(gateway.refuses);
            }
            Fault::Stall(stall) => {
                let (now, until) = (self.now, self.now + us(stall.lasts.0));
                let mut serving = self.containers.iter_mut().filter_map(|container| container.engine_mut());
                if let Some(engine) = serving.nth(stall.replica) {
                    engine.hang(now, until);
                }
            }
            Fault::Acceptance(share) => self.acceptance = share,
            Fault::Link(gb_per_s) => self.link_gb_per_s = gb_per_s,
            Fault::LoadSpeed(gb_per_s) => self.load_gb_per_s = gb_per_s,
        }
        self.set_conditions();
    }

    /// What computes on a GPU that is lost dies of it.
    fn dies_on(&mut self, node: &str, gpu: u32) {
        let on_it =
            |c: &Container| c.launch.node == node && c.launch.gpus.contains(&gpu) && !matches!(c.stage, Stage::Dead);
        let Some(which) = self.containers.iter().position(on_it) else { return };
        let pod = self.containers[which].launch.pod.clone();
        self.cut(&pod);
        self.containers[which].dies(self.now, "torch.AcceleratorError: CUDA error: unspecified launch failure");
        self.happened.push(Happened::Died { pod, at: to_at(self.now), code: 1, reason: "Error" });
    }

    fn gpus(&mut self, node: &str, index: Option<u32>, change: impl Fn(&mut super::Gpu)) {
        let gpus = self.gpus.get_mut(node).map_or(&mut [][..], Vec::as_mut_slice);
        for gpu in gpus.iter_mut().filter(|gpu| index.is_none_or(|index| gpu.index == index)) {
            change(gpu);
        }
    }
}
