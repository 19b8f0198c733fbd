"""The frame of the command line: help, streams, exit codes, and errors that people can act on."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import powerstage as package
from powerstage.cli import cli
from powerstage.contract.load import default_text
from powerstage.producer import ExportSource, open_export, publish
from powerstage.sim import EmbeddedS3
from powerstage.store import FolderStore, open_store
from tests.conftest import ROOT, Run, clock, write_upstream_export

HEAVY = {"duckdb", "boto3", "botocore", "moto", "flask", "pyarrow", "rich", "yaml"}
# What happened, perhaps why, and what to do; nothing before, between or after.
SHAPE = re.compile(r"error \S.*\n(  cause  \S.*\n( {9}\S.*\n)*)?  fix    \S.*\n( {9,}\S.*\n)*")
NO_AWS = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "no_proxy": "127.0.0.1"}
CREDENTIALS = NO_AWS | {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
OPTIONS = {
    "demo": "--devices --days --seed --faults --into --endpoint-url --yes-write-to --contract"
    " --json",
    "contract": "export import lint show",
    "contract lint": "--json FILE",
    "contract show": "--json --text FILE",
    "contract import": "--contract README",
    "contract export": "FILE",
    "plan": "--devices --days --contract --json",
    "kit": "--devices --start --days --seed --contract --json DIR",
    "synth": "--devices --start --days --seed --faults --export --workers --scheduler --contract"
    " --yes-write-to --json FEED",
    "publish": "--revise --contract --yes-write-to --json FOLDER FEED",
    "retract": "--contract --yes-write-to --json FEED PERIOD",
    "consume": "--into --follow --every --queue --rejudge --as --workers --scheduler --contract"
    " --yes-write-to --json FEED",
    "report": "--out --serve --port --json LAKE",
    "gc": "--dry-run --grace --expired --contract --yes-write-to --json FEED",
    "validate": "--inventory --contract --since --check --fail-on --failing-rows --junit --json"
    " TARGET",
    "status": "--json FEED",
    "doctor": "--json FEED",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed, the export that it came from, a spoilt export, a broken contract: to be copied."""
    folder = tmp_path_factory.mktemp("template")
    export = write_upstream_export(folder / "export", 4)
    with ExportSource(open_export(export)) as source:
        publish(source, FolderStore(folder / "feed"), clock=clock)
    spoilt = folder / "spoilt"
    spoilt.mkdir()
    for path in export.iterdir():
        text = path.read_text("utf-8").replace('"W"', '"kW"', 1)
        (spoilt / path.name).write_text(text, encoding="utf-8")
    broken = default_text().replace("value: 6\n", "value: six\n")
    (folder / "broken.yaml").write_text(broken, encoding="utf-8")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def places(template: Path, tmp_path: Path) -> dict[str, Path]:
    """A copy of the template, and its parts by their names."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return {
        "tmp": tmp_path,
        "file": tmp_path / "export" / "README.md",
        "data": tmp_path / "export" / "data-2026-11-01.csv",
        "broken": tmp_path / "broken.yaml",
    } | {name: tmp_path / name for name in ("export", "feed", "spoilt", "empty")}


def words_of(line: str, places: dict[str, Path]) -> list[str]:
    """A command line with the places filled in."""
    return [word.format_map(places) for word in line.split()]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, as if it were the command line."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_no_engine(option: str) -> None:
    """Help and version wait for none of the heavy libraries."""
    done = python(
        "import sys\n"
        "from powerstage.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    print('loaded', sorted({HEAVY!r} & set(sys.modules)))",
        option,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_who_asks_the_worker_waits_for_no_engine(places: dict[str, Path]) -> None:
    """``validate`` leaves DuckDB to its worker, which imports it meanwhile."""
    done = python(
        "import sys\n"
        "from powerstage.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded', sorted({'duckdb', 'boto3'} & set(sys.modules)))",
        "validate",
        str(places["export"]),
    )
    assert "✓" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_help_names_commands_and_exit_codes(powerstage: Run) -> None:
    """The first page says what there is, and what the exit codes mean."""
    done = powerstage("--help")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    for part in ("0 pass", "1 contract broken", "2 usage", "3 environment", "130 interrupted"):
        assert part in text
    commands = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines()[1:]}
    assert commands == {name for name in OPTIONS if " " not in name}


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_names_its_options(command: str) -> None:
    """Every command explains itself and each of its options."""
    done = CliRunner().invoke(cli, [*command.split(), "--help"])
    assert done.exit_code == 0
    named = set(re.findall(r"--[a-z-]+|\b[A-Z]+\b|^  [a-z]+", done.stdout, re.MULTILINE))
    assert set(OPTIONS[command].split()) <= {name.strip() for name in named}


def test_the_version_is_that_of_the_package(powerstage: Run) -> None:
    """``--version`` prints one line."""
    done = powerstage("--version")
    assert done.stdout == f"powerstage, version {package.__version__}\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "Commands:"),
        ("frobnicate", "No such command 'frobnicate'"),
        ("status {feed} --frobnicate", "No such option"),
        ("synth", "Missing argument 'FEED'"),
        ("consume {feed}", "Missing option '--into'"),
        ("plan", "Missing option '--devices'"),
        ("synth {tmp}/new --devices few", "'few' is not a valid integer"),
        ("synth {tmp}/new --start noon", "'noon' does not match"),
        ("validate {data} --inventory {tmp}/none.csv", "does not exist"),
        ("retract {feed} 2026-11-02T05", "reads like 2026-11-01T0500, T05:00 or T05:00Z, in UTC"),
    ],
)
def test_a_wrong_command_line_is_usage(
    powerstage: Run, places: dict[str, Path], line: str, words: str
) -> None:
    """What cannot be parsed ends with 2, and stderr says which word it was."""
    done = powerstage(*words_of(line, places))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        (1, "synth {feed} --devices 1 --start 2026-11-01", "publish with that contract"),
        (2, "synth {tmp}/new --devices 0", "--devices is from 1"),
        (2, "synth {tmp}/new --faults gremlin", "choose from 'all', 'none' or\n"),
        (2, "synth {tmp}/new --faults nan_valu", "did you mean nan_value?"),
        (2, "synth {tmp}/new --faults dst_hour", "no site's clock changes"),
        (2, "synth {tmp}/new --faults all", "which need 200 periods"),
        (2, "synth {tmp}/new --contract {broken}", "broken.yaml:"),
        (2, "synth {tmp}/new --start 9999-12-31", "--start is from 1970"),
        (2, "synth {tmp}/new --start 0001-01-01", "--start is from 1970"),
        (2, "synth {tmp}/new --contract {tmp}/none.yaml", "No such file"),
        (2, "synth {tmp}/new --export csv --faults nan_value", "publish into a feed"),
        (2, "synth {tmp}/new --export csv --workers 2", "publish into a feed"),
        (2, "synth {tmp}/new --faults nan_value --workers 2", "leave one of them out"),
        (2, "synth {tmp}/new --workers 2 --scheduler tcp://h:1", "leave one of them out"),
        (2, "consume {feed} --into {tmp}/l --workers 2 --scheduler tcp://h:1", "leave one of"),
        (2, "synth {tmp}/new --scheduler nowhere", "tcp://host:8786"),
        (2, "plan --devices 1 --days 9999", "--days is from 1 to"),
        (2, "plan --devices 999999999", "--devices is from 1 to 5,000,000"),
        (2, "contract import {tmp}/none.md", "No such file"),
        (2, "synth gs://bucket/feed", "s3://bucket/prefix or a folder"),
        (2, "publish {feed} {tmp}/new", "powerstage validate"),
        (2, "publish {tmp}/none {tmp}/new", "there is no folder"),
        (2, "consume {feed} --into {tmp}/lake --contract {broken}", "broken.yaml:"),
        (2, "consume {feed} --into {feed}", "is a feed"),
        (2, "consume {feed} --into s3://bucket/lake", "name a folder of this machine"),
        (2, "synth s3://bucket/export --export csv", "name a folder of this machine"),
        (2, "status s3:/bucket/feed", "s3://bucket/prefix or a folder"),
        (2, "synth {export}", "holds something that is no feed"),
        (2, "validate {feed}/commits/telemetry", "a part of a feed"),
        (2, "validate {feed}/commits/x.json", "FEED/commits/telemetry/"),
        (2, "validate http://host/feed", "s3://bucket/prefix or a folder"),
        (3, "synth {file} --devices 1", "Not a directory"),
        (3, "synth {file}/new --devices 1 --export csv", "Not a directory"),
        (3, "consume {feed} --into {file}", "--into"),
        (4, "consume {empty} --into {tmp}/lake", "there is no delivery in"),
        (4, "status {empty}", "there is no delivery in"),
        (4, "validate {tmp}/none", "there is nothing at"),
        (4, "validate {empty}", "there is nothing in"),
    ],
)
def test_an_error_has_a_code_and_a_way_out(
    powerstage: Run, places: dict[str, Path], code: int, line: str, words: str
) -> None:
    """Each kind of error has its exit code, and says what happened and what to do."""
    done = powerstage(*words_of(line, places))
    assert done.returncode == code
    assert SHAPE.fullmatch(done.stderr)
    assert words in done.stderr
    assert done.stdout == ""
    assert not places["tmp"].joinpath("new").exists()
    assert not places["tmp"].joinpath("lake").exists()


@pytest.mark.parametrize(
    ("line", "command", "words"),
    [
        ("status {empty} --json", "status", "there is no delivery in"),
        ("contract show {broken} --json", "contract show", "that can be worked with"),
        ("contract show --text --json", "contract show", "--text does not go with --json"),
        ("synth --json", "synth", "Missing argument"),
    ],
)
def test_an_error_is_a_document_too(
    powerstage: Run, places: dict[str, Path], line: str, command: str, words: str
) -> None:
    """With ``--json``, what happened is on standard output in the frame of every document."""
    done = powerstage(*words_of(line, places))
    found = json.loads(done.stdout)
    assert (found["command"], found["ok"]) == (command, False)
    assert found["exit_code"] == done.returncode > 0
    assert words in found["error"]["message"]


def test_a_dead_endpoint_is_the_environment(powerstage: Run, tmp_path: Path) -> None:
    """Nothing listens: 3, the address that was asked, and the setting that named it."""
    address = f"http://127.0.0.1:{closed_port()}"
    words = ("consume", "s3://bucket/feed", "--into", tmp_path / "lake")
    done = powerstage(*words, **CREDENTIALS, AWS_ENDPOINT_URL=address)
    assert (done.returncode, done.stdout) == (3, "")
    assert SHAPE.fullmatch(done.stderr)
    assert address in done.stderr.splitlines()[0]
    assert "AWS_ENDPOINT_URL" in done.stderr.splitlines()[-1]


def test_missing_credentials_are_the_environment(powerstage: Run, server: EmbeddedS3) -> None:
    """Without credentials: 3, and the words that a local S3 wants."""
    done = powerstage("validate", "s3://bucket/feed", **NO_AWS, AWS_ENDPOINT_URL=server.url)
    assert done.returncode == 3
    assert SHAPE.fullmatch(done.stderr)
    assert "no AWS credentials for s3://bucket/feed" in done.stderr
    assert "AWS_ACCESS_KEY_ID=test" in done.stderr


def test_a_missing_bucket_is_the_environment(powerstage: Run, server: EmbeddedS3) -> None:
    """No such bucket: 3, and the command that makes it."""
    done = powerstage("synth", "s3://no-such-bucket/feed", **server.environment())
    assert (done.returncode, done.stdout) == (3, "")
    assert SHAPE.fullmatch(done.stderr)
    assert "aws s3 mb s3://no-such-bucket" in done.stderr


def test_an_empty_bucket_is_nothing_to_judge(
    powerstage: Run, server: EmbeddedS3, feed_url: str
) -> None:
    """A feed in S3 that holds no delivery: 4."""
    done = powerstage("validate", feed_url, **server.environment())
    assert (done.returncode, done.stdout) == (4, "")
    assert SHAPE.fullmatch(done.stderr)
    assert f"there is no delivery in {feed_url}" in done.stderr


def test_debug_shows_the_traceback(powerstage: Run, places: dict[str, Path]) -> None:
    """``--debug`` adds the traceback, and changes neither the words nor the code."""
    done = powerstage("--debug", "status", places["empty"])
    assert done.returncode == 4
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert SHAPE.fullmatch(done.stderr[done.stderr.index("\nerror ") + 1 :])


def test_a_defect_is_called_one() -> None:
    """What nobody foresaw ends with 3, its name, and how to report it."""
    done = python(
        "import powerstage.cli as frame\n"
        "import powerstage.cli.consume as commands\n"
        "def break_(store, *, clock):\n    raise RuntimeError('boom')\n"
        "commands.feed_status = break_\n"
        "frame.main()",
        "status",
        "nowhere",
    )
    assert done.returncode == 3
    assert SHAPE.fullmatch(done.stderr)
    assert "RuntimeError: boom" in done.stderr
    assert "powerstage --debug" in done.stderr


def test_an_interrupt_while_duckdb_works_is_one() -> None:
    """DuckDB calls it a RuntimeError; the user pressed Ctrl-C."""
    done = python(
        "import signal\n"
        "import powerstage.cli as frame\n"
        "import powerstage.cli.consume as commands\n"
        "from powerstage.engine import connect\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "def work(store, *, clock):\n"
        # One thread: with more, DuckDB 2.0.1 sometimes looks for a signal only at its end.
        "    connection = connect(threads=1)\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "    connection.execute('SELECT sum(hash(range)) FROM range(100000000000)')\n"
        "commands.feed_status = work\n"
        "frame.main()",
        "status",
        "nowhere",
    )
    assert (done.returncode, done.stderr) == (130, "error interrupted\n")


@pytest.mark.parametrize(
    ("command", "line", "code"),
    [
        ("synth", "synth {tmp}/new --devices 1", 0),
        ("publish", "publish {export} {tmp}/new", 0),
        ("consume", "consume {feed} --into {tmp}/lake", 0),
        ("validate", "validate {data}", 0),
        ("validate", "validate {spoilt}", 1),
        ("status", "status {feed}", 0),
        ("contract lint", "contract lint {broken}", 1),
        ("contract show", "contract show", 0),
    ],
)
def test_json_is_one_document(
    powerstage: Run, places: dict[str, Path], command: str, line: str, code: int
) -> None:
    """With ``--json``, stdout is one document, which says what the exit code says."""
    done = powerstage(*words_of(line, places), "--json")
    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("schema", "command", "ok", "exit_code")} == {
        "schema": "powerstage.result/2",
        "command": command,
        "ok": code == 0,
        "exit_code": code,
    }
    assert done.returncode == code
    # A finding on a pipe says "error", too: in the middle of its line.
    assert "\nerror " not in f"\n{done.stderr}"


@pytest.mark.parametrize("line", ["validate {spoilt}", "status {feed}"])
def test_json_sends_the_words_to_stderr(
    powerstage: Run, places: dict[str, Path], line: str
) -> None:
    """Words for people are on stdout, and with ``--json`` the same words are on stderr."""
    plain = powerstage(*words_of(line, places))
    as_json = powerstage(*words_of(line, places), "--json")
    assert plain.stdout
    assert plain.stderr == ""
    assert as_json.stderr == plain.stdout


@pytest.mark.parametrize(
    "line",
    [
        "contract show --text",
        "contract show --json",
        "validate {feed}",
        "status {feed}",
    ],
)
def test_a_reader_that_has_gone_is_no_error(places: dict[str, Path], line: str) -> None:
    """``| head`` may close the pipe: it is no verdict, and there is no word about it."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "powerstage", *words_of(line, places)],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_terminal_without_check_marks_gets_their_numbers(
    powerstage: Run, places: dict[str, Path]
) -> None:
    """What an encoding cannot hold is written as an escape."""
    done = powerstage("validate", places["data"], PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u2713 ")


@pytest.fixture
def full_url(feed_url: str, template: Path) -> str:
    """A feed in a bucket, with four periods in it."""
    with ExportSource(open_export(template / "export")) as source:
        publish(source, open_store(feed_url), clock=clock)
    return feed_url


@pytest.mark.parametrize(
    ("line", "number"),
    [("synth {url}-new", 12), ("validate {url}", 8)],
)
def test_an_interrupt_is_told_in_a_word(full_url: str, line: str, number: int) -> None:
    """Ctrl-C at any request ends the process and its helpers with 130 and no traceback."""
    children: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def interrupt(count: int, method: str, path: str) -> None:
        del method, path
        if count == number and started.wait(30):
            os.killpg(children[0].pid, signal.SIGINT)

    with (
        EmbeddedS3(on_request=interrupt) as server,
        subprocess.Popen(
            [sys.executable, "-m", "powerstage", *line.format(url=full_url).split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | server.environment(),
            start_new_session=True,
        ) as child,
    ):
        children.append(child)
        started.set()
        _, words = child.communicate(timeout=60)
    assert (child.returncode, words.strip()) == (130, "error interrupted")
