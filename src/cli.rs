//! What can be typed. Dumb on purpose: what it means is decided by `config` and `command`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Finds out where the time of a slow LLM endpoint goes.
#[derive(Debug, Parser)]
#[command(name = "warroom", version, about, max_term_width = 100)]
pub struct Cli {
    /// Read this configuration file instead of the user's and the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do; nothing: open the war room
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What the war room is opened on
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// `warroom [TARGET]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ScreenArgs {
    /// A workload of a cluster: deploy/x, sts/x or a plain name. None: the only engine of the namespace, or a choice
    #[arg(value_name = "TARGET", conflicts_with_all = ["engine", "gateway", "gpu"])]
    pub target: Option<String>,

    /// Choose from all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["target", "namespace", "engine", "gateway", "gpu"])]
    pub all_namespaces: bool,

    /// Which cluster, and as whom
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// A metrics page of an engine to poll live, without a cluster; repeatable, one per replica
    #[arg(long, value_name = "URL")]
    pub engine: Vec<String>,

    /// A metrics page of a gateway in front of them; repeatable
    #[arg(long, value_name = "URL")]
    pub gateway: Vec<String>,

    /// A metrics page of an exporter of GPUs; repeatable
    #[arg(long, value_name = "URL")]
    pub gpu: Vec<String>,

    /// Objectives and looks
    #[command(flatten)]
    pub look: LookArgs,
}

/// What is promised, how it is shown, and whether anything may be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct LookArgs {
    /// Time to first token within which requests must be served
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub ttft_target: Option<String>,

    /// Time per output token within which tokens must come
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub tpot_target: Option<String>,

    /// The share of events that must be within the targets
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pub objective: Option<String>,

    /// Whether requests of our own are sent
    #[command(flatten)]
    pub probe: ProbeArgs,

    /// A Prometheus to ask for burn rates of days and for alerts: its URL, NAMESPACE/SERVICE:PORT, or off
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,

    /// Colours of the screen
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Use ASCII only
    #[arg(long)]
    pub ascii: bool,

    /// Change nothing, and dry-run nothing
    #[arg(long)]
    pub read_only: bool,

    /// Panic in the 'loop' or in a 'source', for the test that the terminal is given back
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "PLACE")]
    pub panic_in: Option<String>,

    /// Die as by kill -9 at one step of an action, for the test that nothing is lost by it
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "STEP")]
    pub die_at: Option<String>,
}

/// Synthetic requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ProbeArgs {
    /// Send a request of one token now and then, as users do: the only witness of a stall that looks idle. It costs tokens
    #[arg(long)]
    pub probe: bool,

    /// Where users knock, ending in /v1: it is asked too, with --probe
    #[arg(long, value_name = "URL")]
    pub probe_url: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Diagnose once and exit: what is broken, in which phase the time goes, by which mechanism, how sure
    Check(Box<CheckArgs>),
    /// The configuration: what holds, where it comes from, whether it is right
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Change something in a cluster, with everything said before: what it hits, costs and risks. Nothing without --yes
    #[command(subcommand)]
    Act(Box<ActCommand>),
    /// What serves models here: worst first, with who must be asked to change it
    Discover(Box<DiscoverArgs>),
    /// What can be reached and is allowed, what is missing and what mends it; and RB-6's questions about the service
    Doctor(Box<DoctorArgs>),
    /// Print the least Roles that it needs, for kubectl apply; says of each rule what is lost without it
    Rbac(RbacArgs),
    /// Runbooks: those that come with warroom, and your own beside the configuration
    #[command(subcommand)]
    Runbook(RunbookCommand),
    /// An incident's record as a post-mortem: what was seen, decided and done, by whom, and how long it took
    Report(ReportArgs),
    /// An incident again, on the same screens, from its record and the readings beside it
    Replay(Box<ReplayArgs>),
    /// Serve a simulated cluster: Kubernetes API, engines, gateway, GPUs
    #[cfg(feature = "sim")]
    Sim(SimArgs),
    /// The war room on a simulated incident: no cluster, no kubeconfig
    #[cfg(feature = "sim")]
    Demo(Box<DemoArgs>),
}

/// `warroom discover`
#[derive(Debug, Clone, Args)]
pub struct DiscoverArgs {
    /// Which cluster, and as whom
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Look in all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,

    /// Only what has these labels, as kubectl takes them
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = Summary::Text)]
    pub output: Summary,

    /// Use ASCII only
    #[arg(long)]
    pub ascii: bool,
}

/// `warroom doctor`
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit codes: 0 nothing that is used is missing, 1 the cluster cannot be reached, 2 usage, 3 something \
                  is missing, 130 interrupted."
)]
pub struct DoctorArgs {
    /// A workload of a cluster: deploy/x, sts/x or a plain name. None: the only engine of the namespace
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,

    /// Which cluster, and as whom
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Ask only for what looking needs
    #[arg(long)]
    pub read_only: bool,

    /// What is to be examined beside it
    #[command(flatten)]
    pub probe: ProbeArgs,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = Summary::Text)]
    pub output: Summary,

    /// Use ASCII only
    #[arg(long)]
    pub ascii: bool,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Summary {
    /// For a terminal or a log
    Text,
    /// The machine contract
    Json,
}

/// `warroom rbac`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
                  warroom rbac -n llm --group sre | kubectl apply -f -\n  \
                  warroom rbac -n llm --read-only --neighbour gpu-operator --serviceaccount llm:bastion")]
pub struct RbacArgs {
    /// The workload's namespace
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,

    /// Only what looking needs
    #[arg(long)]
    pub read_only: bool,

    /// Also what --probe needs
    #[arg(long, conflicts_with = "read_only")]
    pub probe: bool,

    /// Nothing outside of namespaces: nodes stay unknown, everything else works
    #[arg(long)]
    pub namespaced: bool,

    /// A namespace of a gateway or of exporters of GPUs, whose pages are read too; repeatable
    #[arg(long, value_name = "NAME")]
    pub neighbour: Vec<String>,

    /// Bind it to a user; repeatable. Nobody: the Roles alone
    #[arg(long, value_name = "NAME")]
    pub user: Vec<String>,

    /// Bind it to a group; repeatable
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,

    /// Bind it to a service account; repeatable
    #[arg(long, value_name = "NAMESPACE:NAME")]
    pub serviceaccount: Vec<String>,

    /// How all that is printed is called
    #[arg(long, value_name = "NAME", default_value = "warroom")]
    pub name: String,
}

/// `warroom replay FILE`
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// The record: a file in the folder warroom/incidents of the state directory
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Seconds of the incident per second, 0.1 to 1000
    #[arg(long, value_name = "FACTOR", default_value_t = 10.0, value_parser = replay_speed)]
    pub speed: f64,

    /// Where it begins: a time like 2026-06-08T03:14:07Z, or +5m after the beginning
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,

    /// Objectives, where they are not to be those of the record, and looks
    #[command(flatten)]
    pub look: LookArgs,
}

fn replay_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.1..=1000.0).contains(speed));
    speed.ok_or_else(|| "give a number from 0.1 to 1000".to_owned())
}

/// `warroom runbook …`
#[derive(Debug, Clone, Subcommand)]
pub enum RunbookCommand {
    /// Say whether files are right, and what is wrong with file and line
    Lint {
        /// The files; a later one may extend an earlier one
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print every runbook at hand, and where it comes from
    List,
    /// Draw a runbook: its states with checks and levers, and the ways between them
    Show {
        /// Its short name
        #[arg(value_name = "ID", default_value = "RB-6")]
        id: String,
        /// Use ASCII only
        #[arg(long)]
        ascii: bool,
    },
}

/// `warroom report FILE`
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The record, as it lies in `$XDG_STATE_HOME/warroom`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Markdown)]
    pub output: ReportFormat,

    /// Replace names of people, contexts, namespaces, nodes, models and addresses; secrets are always left out
    #[arg(long)]
    pub mask: bool,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// To paste into a document
    Markdown,
    /// A page that stands for itself, with the plot
    Html,
    /// warroom.report/1
    Json,
}

/// `warroom sim`
#[cfg(feature = "sim")]
#[derive(Debug, Clone, Args)]
pub struct SimArgs {
    /// A built-in scenario's name, or a file that holds one
    #[arg(long, value_name = "NAME|FILE", default_value = "bad-rollout")]
    pub scenario: String,

    /// What decides chance: the same seed gives the same run
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Simulated seconds per second; clients that look at their own clock see right ages at 1 alone
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,

    /// The port on 127.0.0.1; any that is free where it is 0
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,

    /// Write a kubeconfig for it, readable by you alone
    #[arg(long, value_name = "FILE")]
    pub kubeconfig_out: Option<PathBuf>,

    /// Forbid something, as in 'list nodes' or 'get pods/proxy'; repeatable
    #[arg(long, value_name = "VERB RESOURCE")]
    pub deny: Vec<String>,

    /// Allow no more than the roles of a file, such as 'warroom rbac' prints
    #[arg(long, value_name = "FILE")]
    pub allow_only: Option<PathBuf>,

    /// Put a Prometheus of this machine into the cluster, as the Service monitoring/prometheus-operated
    #[arg(long, value_name = "IP:PORT")]
    pub prometheus: Option<std::net::SocketAddr>,
}

/// `warroom demo`
#[cfg(feature = "sim")]
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes of --check: 0 healthy or idle, 1 runtime failure, 2 usage, 3 warning, 4 breach or \
                  stalled, 5 cannot tell, 130 interrupted.\n\nExamples:\n  \
                  warroom demo\n  \
                  warroom demo --scenario list\n  \
                  warroom demo --check -o json")]
pub struct DemoArgs {
    /// A built-in scenario's name, or a file that holds one; 'list' names them
    #[arg(long, value_name = "NAME|FILE", default_value = "bad-rollout")]
    pub scenario: String,

    /// What decides chance: the same seed gives the same run
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Simulated seconds per second; 1 on the screen where it is not given, 20 with --check
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub speed: Option<f64>,

    /// Diagnose once, print and exit, as 'warroom check' does
    #[arg(long)]
    pub check: bool,

    /// Output format of --check
    #[arg(short, long, value_enum, default_value_t = Output::Text, requires = "check")]
    pub output: Output,

    /// The least verdict that makes the exit code of --check non-zero
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Warning, requires = "check")]
    pub fail_on: FailOn,

    /// Objectives and looks; the objectives are the scenario's where they are not given
    #[command(flatten)]
    pub look: LookArgs,
}

#[cfg(feature = "sim")]
fn speed(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|speed| (0.1..=600.0).contains(speed))
        .ok_or_else(|| "give a number from 0.1 to 600".to_owned())
}

/// What every `warroom act` ends its help with.
const ACT_HELP: &str = "Exit codes: 0 done, or printed without --yes; 1 not done, or not done within --wait; 2 usage; \
                        3 not known whether it was done: look before anything else; 130 interrupted, nothing changed.";

/// `warroom act …`
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = ACT_HELP)]
pub enum ActCommand {
    /// Back to an earlier revision's template
    #[command(after_help = ACT_HELP)]
    Undo {
        /// The revision; 0: the one before the newest
        #[arg(long, value_name = "N", default_value_t = 0)]
        to_revision: u64,

        /// Where and how
        #[command(flatten)]
        on: OnWorkload,
    },
    /// Another number of replicas
    #[command(after_help = ACT_HELP)]
    Scale {
        /// How many
        #[arg(long, value_name = "N")]
        replicas: u32,

        /// Where and how
        #[command(flatten)]
        on: OnWorkload,
    },
    /// Stop a rollout where it is
    #[command(after_help = ACT_HELP)]
    Pause(OnWorkload),
    /// Let a rollout go on
    #[command(after_help = ACT_HELP)]
    Resume(OnWorkload),
    /// Replace every pod by one with the same template
    #[command(after_help = ACT_HELP)]
    Restart(OnWorkload),
    /// Other bounds for the autoscaler that owns the replicas
    #[command(after_help = ACT_HELP)]
    Bounds {
        /// The fewest replicas
        #[arg(long, value_name = "N")]
        min: u32,

        /// The most replicas
        #[arg(long, value_name = "N")]
        max: u32,

        /// Where and how
        #[command(flatten)]
        on: OnWorkload,
    },
    /// Keep KEDA from taking replicas away
    #[command(after_help = ACT_HELP)]
    PauseScaleIn(OnWorkload),
    /// Let KEDA take replicas away again
    #[command(after_help = ACT_HELP)]
    ResumeScaleIn(OnWorkload),
    /// Take a node out of scheduling
    #[command(after_help = ACT_HELP)]
    Cordon(OnNode),
    /// Put a node back into scheduling
    #[command(after_help = ACT_HELP)]
    Uncordon(OnNode),
}

/// A lever on a workload.
#[derive(Debug, Clone, Args)]
pub struct OnWorkload {
    /// deploy/x, sts/x or a plain name. None: the only engine of the namespace
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,

    /// How
    #[command(flatten)]
    pub how: HowArgs,
}

/// A lever on a node.
#[derive(Debug, Clone, Args)]
pub struct OnNode {
    /// The node
    #[arg(value_name = "NODE")]
    pub node: String,

    /// The workload that the node is looked at for: deploy/x, sts/x or a plain name. None: the only engine of the namespace
    #[arg(long, value_name = "TARGET")]
    pub workload: Option<String>,

    /// How
    #[command(flatten)]
    pub how: HowArgs,
}

/// How a lever is pulled.
#[derive(Debug, Clone, Args)]
pub struct HowArgs {
    /// Do it; without this it is planned, dry-run and printed
    #[arg(long)]
    pub yes: bool,

    /// The name of the object that is written: needed beside --yes in a protected context, and where somebody is likely
    /// to take the change back
    #[arg(long, value_name = "NAME", requires = "yes")]
    pub confirm: Option<String>,

    /// Follow it until it is done or stuck, at most for so long; 0: do not wait
    #[arg(long, value_name = "DURATION", default_value = "0", requires = "yes")]
    pub wait: String,

    /// Change nothing, and dry-run nothing
    #[arg(long)]
    pub read_only: bool,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = ActOutput::Text)]
    pub output: ActOutput,

    /// Which cluster, and as whom
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How `act` says what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActOutput {
    /// For a terminal or a log
    Text,
    /// `warroom.act/1`: one JSON object per line and step
    Json,
}

/// `warroom config …`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Write the commented default file for editing
    Init,
    /// Print every value and the layer that it comes from
    Print,
    /// Print the path of the user's file
    Path,
    /// Say whether the files and variables are right
    Validate,
}

/// `warroom check …`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes: 0 healthy or idle, 1 runtime failure, 2 usage, 3 warning, 4 breach or stalled, \
                  5 cannot tell, 130 interrupted.\n\nExamples:\n  \
                  warroom check -n llm-serving deploy/vllm-runtime\n  \
                  warroom check --engine http://127.0.0.1:8000/metrics --for 30s\n  \
                  warroom check --pages recorded/pod-a --pages recorded/pod-b --at +60s -o markdown")]
pub struct CheckArgs {
    /// A workload of a cluster: deploy/x, sts/x or a plain name. None: the only engine of the namespace
    #[arg(value_name = "TARGET", conflicts_with_all = ["engine", "pages"])]
    pub target: Option<String>,

    /// Which cluster, and as whom
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// A metrics page to poll live; repeatable, one per replica
    #[arg(long, value_name = "URL", conflicts_with = "pages")]
    pub engine: Vec<String>,

    /// A directory of recorded pages named by their unix milliseconds, as in 1795341361983.prom or .prom.gz, or with all of them in a pages.jsonl.gz; repeatable, one per replica
    #[arg(long, value_name = "DIR")]
    pub pages: Vec<PathBuf>,

    /// How long to watch before the verdict (live)
    #[arg(long = "for", value_name = "DURATION", default_value = "15s", conflicts_with = "pages")]
    pub watch: String,

    /// Judge this moment of a recording: +40s from its first page, RFC 3339, or unix milliseconds. Nothing later is read
    #[arg(long, value_name = "MOMENT", requires = "pages", conflicts_with = "engine", allow_hyphen_values = true)]
    pub at: Option<String>,

    /// The window that is judged; shorter where less was observed
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub window: String,

    /// Time to first token within which requests must be served
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub ttft_target: Option<String>,

    /// Time per output token within which tokens must come
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub tpot_target: Option<String>,

    /// The share of events that must be within the targets
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pub objective: Option<String>,

    /// Whether requests of our own are sent
    #[command(flatten)]
    pub probe: ProbeArgs,

    /// A Prometheus to ask for burn rates of days and for alerts: its URL, NAMESPACE/SERVICE:PORT, or off
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// The least verdict that makes the exit code non-zero
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Warning)]
    pub fail_on: FailOn,

    /// Colours of the text output
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,

    /// Use ASCII only
    #[arg(long)]
    pub ascii: bool,
}

/// kubectl's flags, in kubectl's spelling and meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// The namespace; the context's where it is not given
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// The kubeconfig's context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// The kubeconfig's cluster
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,

    /// The kubeconfig's user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// The kubeconfig; $KUBECONFIG or ~/.kube/config where it is not given
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The user to act as
    #[arg(long = "as", value_name = "NAME")]
    pub impersonate: Option<String>,

    /// How long one answer of the API server may take
    #[arg(long, value_name = "DURATION")]
    pub request_timeout: Option<String>,
}

/// How a diagnosis is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For a terminal or a log
    Text,
    /// The machine contract
    Json,
    /// To paste into a channel
    Markdown,
}

/// From which verdict on `check` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Warning, breach and stalled
    Warning,
    /// Breach and stalled
    Breach,
}
