//! `warroom discover`: connects, looks, prints.

use color_eyre::eyre::{Context, Result};

use super::connect::Asked;
use super::{FAILURE, INTERRUPTED, PIPE_WIDTH, complain, print, usage};
use crate::cli::{DiscoverArgs, Summary};
use crate::clock::Clock;
use crate::config::speaks_utf8;
use crate::contract::discover::Discover;
use crate::report::{self, Look};
use crate::source::kubernetes::{Place, Where, discover};
use crate::ui::theme::Theme;

/// Looks, and answers with the exit code.
pub(super) fn run(args: &DiscoverArgs) -> Result<u8> {
    let asked = match Asked::of(None, &args.cluster) {
        Ok(asked) => asked,
        Err(message) => return Ok(usage(&message)),
    };
    let runtime = super::warroom::threads()?;
    let looked = runtime.block_on(async {
        let look = async {
            let connected = asked.connected().await.map_err(|error| (error.to_string(), true))?;
            let place = Place {
                client: &connected.client,
                context: &connected.context,
                namespace: &connected.namespace,
                deadline: asked.pace(Clock::Wall).deadline,
            };
            let at = Where { everywhere: args.all_namespaces, labels: args.selector.as_deref() };
            discover(&place, at).await.map_err(|trouble| (trouble.to_string(), false))
        };
        tokio::select! {
            looked = look => Some(looked),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    runtime.shutdown_background();
    let all = match looked {
        None => return Ok(INTERRUPTED),
        Some(Err((why, true))) => return Ok(usage(&why)),
        Some(Err((why, false))) => {
            complain(&why);
            return Ok(FAILURE);
        }
        Some(Ok(all)) => all,
    };
    if args.output == Summary::Json {
        print(&(serde_json::to_string_pretty(&Discover::from(&all)).wrap_err("what was found is no JSON")? + "\n"))?;
    } else {
        let theme = Theme::default();
        print(&report::discovery(
            &all,
            Look { theme: &theme, width: PIPE_WIDTH, ascii: args.ascii || !speaks_utf8() },
        ))?;
    }
    Ok(0)
}
