//! What a user may write into the configuration, what wins, and what is said about a mistake.
//!
//! Each file of `tests/invalid` is a mistake: its first line, without the `# `, is a phrase of what must be said about
//! it. To add a case, add a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use warroom::action::guard::Confirm;
use warroom::command::config::{init, path, print, validate, write};
use warroom::config::{
    Config, ConfigError, DEFAULT_FILE, Flag, Layer, Origin, QUANTITIES, Setting, Surroundings, VARIABLES, gather, merge,
};
use warroom::diagnosis::BurnPreset;

fn user(text: &str) -> Layer {
    Layer::File { origin: Origin::UserFile("user.toml".to_owned()), text: text.to_owned() }
}

fn system(text: &str) -> Layer {
    Layer::File { origin: Origin::SystemFile("system.toml".to_owned()), text: text.to_owned() }
}

fn variable(name: &str, value: &str) -> Layer {
    Layer::Variables(vec![(name.to_owned(), value.to_owned())])
}

fn flag(name: &'static str, setting: Setting, value: &str) -> Layer {
    Layer::Flags(vec![Flag { name, setting, value: value.to_owned() }])
}

fn merged(layers: impl IntoIterator<Item = Layer>) -> Config {
    merge(layers.into_iter().collect()).expect("these layers are valid")
}

fn refused(layer: Layer) -> String {
    merge(vec![layer]).expect_err("this layer is wrong").to_string()
}

/// The line of `describe` for a key, without the padding.
fn described(config: &Config, key: &str) -> String {
    let lines = config.describe();
    let line = lines.iter().find(|line| line.starts_with(&format!("{key} = "))).expect("the key is described");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_default_file_says_exactly_the_defaults() {
    let layer = Layer::File { origin: Origin::Default, text: DEFAULT_FILE.to_owned() };
    assert_eq!(merged([layer]), Config::default());
    assert_eq!(merged([]), Config::default());
}

#[test]
fn the_default_file_leaves_no_key_out() {
    for line in merged([user(DEFAULT_FILE)]).describe() {
        assert!(line.ends_with("# from user.toml"), "the default file does not say: {line}");
    }
}

#[test]
fn the_default_file_names_every_variable_quantity_and_preset() {
    let words = VARIABLES.iter().map(|(name, _)| *name).chain(QUANTITIES.iter().copied());
    for word in words.chain(BurnPreset::ALL.map(BurnPreset::name)) {
        assert!(DEFAULT_FILE.contains(word), "'{word}' is not explained in the default file");
    }
}

#[test]
fn the_defaults_are_the_ones_that_are_promised() {
    let Config { slo, scrape, aliases, policy, ui, .. } = Config::default();
    assert_eq!(slo.default.ttft.limit, Duration::from_millis(500));
    assert_eq!(slo.default.tpot.limit, Duration::from_millis(50));
    assert!((slo.default.ttft.objective - 0.99).abs() < f64::EPSILON);
    assert_eq!(slo.default.burn, BurnPreset::Workbook);
    assert_eq!((scrape.interval, scrape.timeout), (Duration::from_secs(5), Duration::from_secs(3)));
    assert_eq!((scrape.concurrency, scrape.via), (32, None));
    assert_eq!(aliases["llm_queue_depth"], "waiting");
    assert!(aliases.values().all(|quantity| QUANTITIES.contains(quantity)));
    assert_eq!(ui.theme, "default");
    assert_eq!((policy.read_only, policy.confirm, policy.max_scale_step), (false, Confirm::Name, 4));
    assert_eq!(policy.protected, ["prod-*"]);
}

#[test]
fn a_flag_beats_a_variable_beats_the_users_file_beats_the_systems_file() {
    let layers = [
        system("[scrape]\ninterval = '1s'\ntimeout = '1s'\nconcurrency = 1\n[ui]\ntheme = 'system'"),
        user("[scrape]\ninterval = '2s'\ntimeout = '2s'\nconcurrency = 2"),
        Layer::Variables(
            [("WARROOM_SCRAPE_INTERVAL", "3s"), ("WARROOM_SCRAPE_TIMEOUT", "3s")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        ),
        flag("--interval", Setting::Interval, "4s"),
    ];
    let config = merged(layers.clone());
    assert_eq!(described(&config, "scrape.interval"), "scrape.interval = \"4s\" # from --interval");
    assert_eq!(described(&config, "scrape.timeout"), "scrape.timeout = \"3s\" # from WARROOM_SCRAPE_TIMEOUT");
    assert_eq!(described(&config, "scrape.concurrency"), "scrape.concurrency = 2 # from user.toml");
    assert_eq!(described(&config, "ui.theme"), "ui.theme = \"system\" # from system.toml");
    assert_eq!(described(&config, "slo.default.burn"), "slo.default.burn = \"workbook\" # from default");
    assert_eq!(merged(layers.into_iter().rev()), config, "the order of the layers does not matter");
}

#[test]
fn read_only_is_set_by_any_layer_and_unset_by_none() {
    let (in_file, in_variable) = (user("policy.read_only = false"), variable("WARROOM_READ_ONLY", "false"));
    for layers in [
        [system("policy.read_only = true"), in_file.clone(), in_variable.clone()],
        [system("policy.read_only = false"), user("policy.read_only = true"), in_variable.clone()],
        [system("policy.read_only = false"), in_file.clone(), variable("WARROOM_READ_ONLY", "1")],
        [in_file.clone(), in_variable.clone(), flag("--read-only", Setting::ReadOnly, "true")],
    ] {
        assert!(merged(layers.clone()).policy.read_only, "{layers:?}");
    }
    assert!(!merged([in_file, in_variable]).policy.read_only);
    let config = merged([system("policy.read_only = true"), user("policy.read_only = false")]);
    assert_eq!(described(&config, "policy.read_only"), "policy.read_only = true # from system.toml");
    let config = merged([user("policy.read_only = false"), flag("--read-only", Setting::ReadOnly, "true")]);
    assert_eq!(described(&config, "policy.read_only"), "policy.read_only = true # from --read-only");
}

#[test]
fn of_two_layers_the_stricter_policy_holds_and_the_defaults_give_way() {
    let site = "[policy]\nconfirm = 'type-name'\nprotected = ['live-*']\nmax_scale_step = 2";
    let own = "[policy]\nconfirm = 'key'\nprotected = ['mine', 'live-*']\nmax_scale_step = 100";
    let both = merged([system(site), user(own)]);
    assert_eq!((both.policy.confirm, both.policy.max_scale_step), (Confirm::Name, 2));
    assert_eq!(both.policy.protected, ["live-*", "mine"]);
    assert_eq!(described(&both, "policy.confirm"), "policy.confirm = \"type-name\" # from system.toml");
    assert_eq!(described(&both, "policy.protected"), "policy.protected = [\"live-*\", \"mine\"] # from user.toml");
    let weak = merged([system(site), user("policy.protected = []")]);
    assert_eq!(described(&weak, "policy.protected"), "policy.protected = [\"live-*\"] # from system.toml");
    // What nobody said is nobody's to defend.
    let alone = merged([user("[policy]\nconfirm = 'key'\nprotected = []\nmax_scale_step = 100")]);
    assert_eq!((alone.policy.confirm, alone.policy.max_scale_step), (Confirm::Key, 100));
    assert!(alone.policy.protected.is_empty());
    let default = Layer::File { origin: Origin::Default, text: DEFAULT_FILE.to_owned() };
    assert_eq!(merged([default, user("policy.protected = []")]).policy.protected, Vec::<String>::new());
}

#[test]
fn a_model_takes_what_it_leaves_out_from_the_default() {
    let config = merged([
        user("slo.default.ttft.target = '1s'\n[slo.'meta/llama-3']\nttft = { objective = 0.9 }\nburn = 'pyrra'"),
        system("slo.default.tpot.target = '70ms'\n[slo.'meta/llama-3']\nttft = { target = '3s', objective = 0.5 }"),
    ]);
    let slo = config.slo.of("meta/llama-3");
    assert_eq!((slo.ttft.limit, slo.tpot.limit), (Duration::from_secs(3), Duration::from_millis(70)));
    assert!((slo.ttft.objective - 0.9).abs() < f64::EPSILON);
    assert_eq!((slo.burn, config.slo.default.burn), (BurnPreset::Pyrra, BurnPreset::Workbook));
    assert_eq!(config.slo.of("another"), &config.slo.default);
    let key = "slo.\"meta/llama-3\"";
    assert!(described(&config, &format!("{key}.ttft.target")).ends_with("# from system.toml"));
    assert!(described(&config, &format!("{key}.ttft.objective")).ends_with("# from user.toml"));
    assert!(described(&config, &format!("{key}.tpot.target")).ends_with("# from system.toml"));
    assert!(described(&config, &format!("{key}.tpot.objective")).ends_with("# from default"));
}

#[test]
fn what_is_typed_holds_for_every_model() {
    let config = merged([
        user("[slo.llama]\nttft = { target = '3s', objective = 0.9 }"),
        flag("--ttft", Setting::TtftTarget, "2.5"),
        variable("WARROOM_TPOT_TARGET", "0.08"),
    ]);
    let slo = config.slo.of("llama");
    assert_eq!(slo.ttft.limit, Duration::from_millis(2_500));
    assert_eq!(slo.tpot.limit, Duration::from_millis(80));
    assert!((slo.ttft.objective - 0.9).abs() < f64::EPSILON, "what was not typed stays");
    assert_eq!(described(&config, "slo.llama.ttft.target"), "slo.llama.ttft.target = \"2s500ms\" # from --ttft");
}

#[test]
fn aliases_are_added_to_the_known_ones_and_can_replace_them() {
    let config = merged([user("[aliases]\nmine = 'itl'\nqueue_depth = 'running'\n'ns:rule' = 'e2e'")]);
    assert_eq!(config.aliases["mine"], "itl");
    assert_eq!(config.aliases["queue_depth"], "running");
    assert_eq!(config.aliases["ttft_seconds"], "ttft");
    assert_eq!(described(&config, "aliases.\"ns:rule\""), "aliases.\"ns:rule\" = \"e2e\" # from user.toml");
}

#[test]
fn an_empty_variable_and_a_strange_one_say_nothing() {
    assert_eq!(merged([variable("WARROOM_THEME", ""), variable("WARROOM_LOG", "debug")]), Config::default());
}

#[test]
fn what_is_printed_can_be_read_back() {
    let config = merged([user("[slo.'a \"b\" c']\nttft.target = '1m30s'\n[aliases]\n'x.y' = 'queue'")]);
    let again = merged([user(&print(&config))]);
    assert_eq!((&again.slo, &again.scrape), (&config.slo, &config.scrape));
    assert_eq!((&again.aliases, &again.policy, &again.ui), (&config.aliases, &config.policy, &config.ui));
    let probe = merged([user("[probe]\nenabled = true\nurl = 'https://llm.example.org/v1'\ntoken_file = '/run/key'")]);
    assert_eq!(merged([user(&print(&probe))]).probe, probe.probe);
}

#[test]
fn every_invalid_file_is_refused_with_the_phrase_in_its_first_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() > 20, "the files were not found");
    for file in files {
        let text = fs::read_to_string(&file).expect("an invalid file is still text");
        let phrase = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a phrase in the first line");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let layer = Layer::File { origin: Origin::UserFile(name.clone()), text: text.clone() };
        let said = merge(vec![layer]).map_or_else(|error| error.to_string(), |_| "nothing".to_owned());
        assert!(said.starts_with(&format!("'{name}' {phrase}")), "{name}: expected '{phrase}', it said: {said}");
    }
}

#[test]
fn a_mistake_in_a_variable_or_a_flag_names_it() {
    for (name, value, expected) in [
        ("WARROOM_TTFT_TARGET", "fast", "variable 'WARROOM_TTFT_TARGET' is 'fast', which is no duration: write a "),
        ("WARROOM_TTFT_TARGET", "-1", "variable 'WARROOM_TTFT_TARGET' is '-1', which is negative"),
        ("WARROOM_SCRAPE_TIMEOUT", "3", "variable 'WARROOM_SCRAPE_TIMEOUT' is '3', which has no unit"),
        ("WARROOM_OBJECTIVE", "99", "variable 'WARROOM_OBJECTIVE' is '99.0', which is not between 0 and 1"),
        ("WARROOM_OBJECTIVE", "most", "variable 'WARROOM_OBJECTIVE' is 'most', which is not between 0 and 1"),
        ("WARROOM_SCRAPE_CONCURRENCY", "1e3", "variable 'WARROOM_SCRAPE_CONCURRENCY' is '1e3': write a whole number"),
        ("WARROOM_READ_ONLY", "yes", "variable 'WARROOM_READ_ONLY' is 'yes': write true or false"),
        ("WARROOM_THEME", "a/b", "variable 'WARROOM_THEME' is 'a/b', which cannot name a theme"),
    ] {
        let said = refused(variable(name, value));
        assert!(said.starts_with(expected), "{said}");
    }
    let said = refused(flag("--tpot", Setting::TpotTarget, "0"));
    assert!(said.starts_with("flag '--tpot' is '0', which is no time at all"), "{said}");
}

#[test]
fn a_mistake_cannot_flood_or_redraw_the_terminal() {
    let long = "x".repeat(500_000);
    for text in [
        format!("{long} = 1"),
        format!("[slo.{long}]\nburn = 'x'"),
        format!("ui.theme = '{long}'"),
        format!("aliases.a = \"{long}\\u001b[2J\""),
        format!("[ui]\n{long}"),
        "a = \"\u{1b}[2J\"".to_owned(),
    ] {
        let said = refused(user(&text));
        assert!(said.len() < 2_000, "{} bytes", said.len());
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

/// A place of its own on the disk, with the files that this process would look for.
struct Disk {
    folder: tempfile::TempDir,
    surroundings: Surroundings,
}

fn disk() -> Disk {
    let folder = tempfile::tempdir().expect("a folder");
    let surroundings = Surroundings {
        system_file: folder.path().join("etc/config.toml"),
        user_file: Some(folder.path().join("home/warroom/config.toml")),
        variables: Vec::new(),
    };
    Disk { folder, surroundings }
}

impl Disk {
    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
        fs::write(&file, text).expect("a new file");
        file
    }

    fn load(&self, named: Option<&Path>) -> Result<Config, ConfigError> {
        merge(gather(&self.surroundings, named, Vec::new())?)
    }
}

#[test]
fn files_that_are_not_there_are_no_mistake() {
    assert_eq!(disk().load(None), Ok(Config::default()));
    let nobody = Surroundings { user_file: None, ..disk().surroundings };
    assert_eq!(gather(&nobody, None, Vec::new()).map(|layers| layers.len()), Ok(2));
}

#[test]
fn both_files_are_read_and_a_named_file_is_read_instead_of_them() {
    let disk = disk();
    disk.put("etc/config.toml", "scrape.interval = '7s'\nui.theme = 'light'");
    disk.put("home/warroom/config.toml", "ui.theme = 'mono'");
    let named = disk.put("named.toml", "scrape.timeout = '9s'");
    let config = disk.load(None).expect("valid");
    assert_eq!((config.scrape.interval, config.ui.theme.as_str()), (Duration::from_secs(7), "mono"));
    let config = disk.load(Some(&named)).expect("valid");
    assert_eq!((config.scrape.timeout, config.ui.theme.as_str()), (Duration::from_secs(9), "default"));
}

#[test]
fn naming_another_file_is_no_way_round_what_the_systems_file_forbids() {
    let disk = disk();
    disk.put("etc/config.toml", "scrape.interval = '7s'\npolicy.read_only = true");
    let named = disk.put("named.toml", "policy.read_only = false\npolicy.max_scale_step = 3");
    let config = disk.load(Some(&named)).expect("valid");
    assert!(config.policy.read_only);
    assert_eq!((config.policy.max_scale_step, config.scrape.interval), (3, Duration::from_secs(5)));
    disk.put("etc/config.toml", "policy.read_only = 'yes'");
    let said = disk.load(Some(&named)).expect_err("what it forbids cannot be known").to_string();
    assert!(said.contains("etc/config.toml' line 1: 'policy.read_only' is text"), "{said}");
}

#[test]
fn a_named_file_that_is_not_there_is_a_mistake() {
    let disk = disk();
    let said = disk.load(Some(&disk.folder.path().join("none.toml"))).expect_err("it is missing").to_string();
    assert!(said.contains("none.toml' does not exist: correct the path after --config"), "{said}");
}

#[test]
fn a_file_that_cannot_be_a_configuration_is_refused() {
    let disk = disk();
    let said = |file: &Path| disk.load(Some(file)).expect_err("it is no configuration").to_string();
    let large = said(&disk.put("large.toml", vec![b'#'; 1_000_001]));
    assert!(large.contains("large.toml' is larger than 1 MB"), "{large}");
    let binary = said(&disk.put("binary.toml", b"a = 1\nb = \xff\n"));
    assert!(binary.contains("binary.toml' line 2: not UTF-8"), "{binary}");
    let folder = said(disk.folder.path());
    assert!(folder.contains("cannot be read (it is a directory)"), "{folder}");
    let largest = disk.put("largest.toml", vec![b'#'; 1_000_000]);
    assert_eq!(disk.load(Some(&largest)), Ok(Config::default()));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_not_matter() {
    assert_eq!(merged([user("\u{feff}[ui]\r\ntheme = 'mono'\r\n")]).ui.theme, "mono");
}

#[test]
fn init_writes_a_file_that_is_valid_and_private_and_never_overwrites_it() {
    let disk = disk();
    let (file, text) = init(&disk.surroundings, None).expect("there is a home");
    assert_eq!(Some(&file), disk.surroundings.user_file.as_ref());
    let said = write(&file, text).expect("nothing is in the way");
    assert!(said.starts_with("wrote '"), "{said}");
    assert_eq!(fs::read_to_string(&file).expect("it was written"), DEFAULT_FILE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).expect("it was written").permissions().mode() & 0o777, 0o600);
    }
    fs::write(&file, "# mine").expect("the owner may write");
    let refused = write(&file, text).expect_err("it is somebody's file").to_string();
    assert!(refused.contains("exists already: edit it, or move it away"), "{refused}");
    assert_eq!(fs::read_to_string(&file).expect("it is still there"), "# mine");
}

#[test]
fn init_says_why_it_cannot_write() {
    let disk = disk();
    let in_the_way = disk.put("file", "");
    let said = write(&in_the_way.join("config.toml"), "").expect_err("a file is no folder").to_string();
    assert!(said.contains("config.toml'"), "{said}");
    let homeless = Surroundings { user_file: None, ..disk.surroundings };
    let said = path(&homeless, None).expect_err("no home").to_string();
    assert!(said.contains("set HOME or XDG_CONFIG_HOME"), "{said}");
}

#[test]
fn validate_names_the_files_it_read() {
    let disk = disk();
    let said = validate(&disk.surroundings, None).expect("nothing is wrong");
    assert!(said.starts_with("no file found: the defaults hold"), "{said}");
    disk.put("home/warroom/config.toml", "ui.theme = 'mono'");
    let said = validate(&disk.surroundings, None).expect("nothing is wrong");
    assert!(said.ends_with("home/warroom/config.toml' is valid\n"), "{said}");
    disk.put("home/warroom/config.toml", "ui.thme = 'mono'");
    let said = validate(&disk.surroundings, None).expect_err("a mistyped key").to_string();
    assert!(said.ends_with("line 1: unknown key 'thme' in [ui], did you mean 'theme'?"), "{said}");
}

proptest! {
    #[test]
    fn no_text_is_a_crash(text in "(?s).{0,200}") {
        let _ = merge(vec![user(&text)]);
        for (name, _) in VARIABLES {
            let _ = merge(vec![variable(name, &text)]);
        }
    }

    #[test]
    fn no_half_of_a_valid_file_is_a_crash(cut in 0..DEFAULT_FILE.len()) {
        let _ = merge(vec![user(&DEFAULT_FILE.chars().take(cut).collect::<String>())]);
    }

    #[test]
    fn a_duration_that_is_typed_is_the_duration_that_is_kept(ms in 1_u64..86_400_000) {
        let config = merge(vec![variable("WARROOM_TTFT_TARGET", &format!("{ms}ms"))]).unwrap();
        prop_assert_eq!(config.slo.default.ttft.limit, Duration::from_millis(ms));
        let again = merge(vec![user(&print(&config))]).unwrap();
        prop_assert_eq!(again.slo.default.ttft.limit, Duration::from_millis(ms));
    }
}
