"""The transfer rehearsed on LocalStack: faults, a race, a revision, a retraction, a kill -9.

Each step is a process of powerstage. The S3 is that of AWS_ENDPOINT_URL if that is on this machine,
else what localstack/up starts. Exit code 0 if all is as it should be, 3 without LocalStack, else 1.
"""

import json
import os
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import IO, Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from powerstage.contract import default
from powerstage.display import Terminal
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD
from powerstage.engine import connect
from powerstage.errors import PowerstageError
from powerstage.sim import blind_to_aws, copy_feed
from powerstage.store import FolderStore, open_store

UP: Final = Path(__file__).resolve().parent / "up"
LOCAL: Final = {"127.0.0.1", "::1", "localhost"}
FAULTS: Final = (
    "nan_value,duplicate_reading,ghost_device,truncated_file,lying_commit,flipped_byte"
    ",lost_object,missing_hour"
)
# The day after the faults, and so many hours of it.
RACE_DAY, RACE_HOURS, RETRACTED = "2026-11-03", 4, "2026-11-03T0300"
CONSUMERS, TERMINAL = ("a", "b"), Terminal(sys.stdout)


class WrongError(Exception):
    """Something did not come out as it should."""


def main() -> int:
    """Play it; the exit code."""
    name = f"powerstage-demo-{secrets.token_hex(3)}"
    TERMINAL.line(("powerstage on LocalStack", BOLD), f"   files in {name}")
    try:
        with ExitStack() as stack:
            if urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname not in LOCAL:
                settings = stack.enter_context(localstack())
                stack.enter_context(blind_to_aws({**settings, "NO_PROXY": ",".join(LOCAL)}))
            tell("S3 and SQS", os.environ["AWS_ENDPOINT_URL"])
            Path(name).mkdir()
            Rehearsal(name).play()
    except (WrongError, PowerstageError, BotoCoreError, ClientError) as error:
        TERMINAL.line(("  ✗ ", BAD), str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def localstack() -> Iterator[Mapping[str, str]]:
    """LocalStack until the block is left: what boto3 needs to find it."""
    with Popen([UP], stdout=PIPE, text=True) as process:
        try:
            settings: dict[str, str] = {}
            for line in process.stdout or ():
                if line.startswith("export "):
                    name, value = shlex.split(line)[1].split("=", 1)
                    settings[name] = value
                elif settings:
                    break
            if not settings:
                sys.exit(process.wait())  # It has said why.
            yield settings
        finally:
            process.terminate()


class Rehearsal:
    """One feed in a bucket of its own, and a folder of the same name for what is not in S3."""

    def __init__(self, name: str) -> None:
        self.folder, self.bucket, self.feed = Path(name), name, f"s3://{name}/feed"
        self.queue = ""

    def play(self) -> None:
        """All of it, in order."""
        self.make_bucket()
        self.run(0, "synth", self.feed, "--devices", "4", "--faults", FAULTS)
        tell("producer", f"a day of mock data with {FAULTS.count(',') + 1} faults in {self.feed}")
        with self.consumer("a", "--follow", "--queue", self.queue) as following:
            tell("consumer a", "follows the feed: the queue tells it of new commits")
            with self.consumer("b") as killed:
                self.wait_for_receipts("b", 1, killed)
            sent, commits = self.count("receipts/b/"), self.count("commits/")
            require(sent < commits, "consumer b was killed too late")
            tell("consumer b", f"kill -9 after {sent} of {commits} receipts")
            loser = self.race()
            revised = self.run(0, "publish", loser, self.feed, "--revise", "measured anew")
            require(revised["new"] == 1 + RACE_HOURS, f"{revised['new']} deliveries were revised")
            tell("revision", f"{loser} replaces all {revised['new']} deliveries of the race")
            self.run(0, "retract", self.feed, RETRACTED)
            tell("retraction", f"{RETRACTED} holds nothing any more")
            again = self.run(1, "consume", self.feed, "--into", "lake-b", "--as", "b")
            tell("consumer b", f"run again: {again['new']} new, {again['known']} judged before")
            commits = self.count("commits/")
            self.wait_for_receipts("a", commits, following)
            following.terminate()
            require(following.wait() == 0, "consumer a did not end well when it was told to")
        tell("consumer a", f"{commits} deliveries judged; ended by SIGTERM")
        self.require_caught()
        self.require_equal_lakes(loser)
        self.show_receipts()

    def make_bucket(self) -> None:
        """A bucket that tells a queue of every new object."""
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        s3.create_bucket(Bucket=self.bucket)
        self.queue = sqs.create_queue(QueueName=self.bucket)["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        hints: Any = [
            {"QueueArn": told["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
        ]
        s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": hints}
        )
        tell("bucket", f"s3://{self.bucket}, which notifies {self.queue}")

    def race(self) -> str:
        """Two producers publish the same hours with other values at once; who came second."""
        for number, name in enumerate(("left", "right"), 1):
            options = ("--export", "csv", "--start", RACE_DAY, "--devices", "2")
            self.run(0, "synth", name, *options, "--seed", str(number))
            data = self.folder / name / f"data-{RACE_DAY}.csv"
            head, *rows = data.read_text("utf-8").splitlines(keepends=True)
            rows = [row for row in rows if row.split('","')[4] < f"{RACE_DAY} {RACE_HOURS:02d}"]
            data.write_text("".join([head, *rows]), "utf-8")
            (self.folder / name / "contract.odcs.yaml").write_text(default().text, "utf-8")
        racers = {name: self.start("publish", name, self.feed) for name in ("left", "right")}
        said = {name: process.communicate()[1] for name, process in racers.items()}
        codes = {name: process.returncode for name, process in racers.items()}
        require(sorted(codes.values()) == [0, 1], f"a race of two ended with {codes}: {said}")
        winner, loser = sorted(codes, key=lambda name: codes[name])
        told = next((line for line in said[loser].splitlines() if "written by" in line), "")
        require(bool(told), f"{loser} was not told whom it lost to: {said[loser]}")
        stands = self.run(0, "publish", winner, self.feed)
        require(stands["new"] == 0, f"{winner} won, and not all of its deliveries stand there")
        tell("race", f"{winner} was first; {loser} is told:")
        TERMINAL.line("    ", (told.removeprefix("  cause").split(";")[0].strip(), DIM))
        return loser

    def require_caught(self) -> None:
        """Both consumers blame what was spoilt, for that reason, and nothing else."""
        status = self.run(1, "status", self.feed)
        (truth,) = self.folder.glob("*.truth.json")
        faults = json.loads(truth.read_text("utf-8"))["faults"]
        spoilt = {f"telemetry/{fault['period_first']}/r000000": fault for fault in faults}
        for delivery in status["deliveries"]:
            fault = spoilt.get(delivery["delivery"], {"verdict": "accepted", "check": None})
            found = {receipt["consumer"]: receipt for receipt in delivery["receipts"]}
            for name in CONSUMERS:
                verdict = found[name]["verdict"] if name in found else "not judged"
                checks = {check["id"] for check in found.get(name, {}).get("checks", ())}
                as_promised = verdict == fault["verdict"] and fault["check"] in {None, *checks}
                require(as_promised, f"{delivery['delivery']} is {verdict} by {name}: {checks}")
        missing = [gap["first"] for gap in status["missing"]]
        for slot, fault in spoilt.items():
            period = slot.split("/")[1]
            require(bool(fault["verdict"]) or period in missing, f"{period} is not missed")
            words = f"{fault['verdict']} by both" if fault["verdict"] else "reported missing"
            tell("caught", f"{fault['fault']:<18} {period}  {fault['check']:<18} {words}")

    def require_equal_lakes(self, loser: str) -> None:
        """Both lakes hold the same readings, and of the race those that were revised."""
        sums = f"SELECT count(*), round(sum(value), 3) FROM {{}} WHERE start_time >= '{RACE_DAY}'"
        measured = sums.format(f"read_csv('{self.folder}/{loser}/data-*.csv')")
        with connect() as connection:
            query = f"{measured} AND hour(start_time) != {RETRACTED[11:13]}"
            revised, rows = connection.execute(query).fetchall(), []
            for name in CONSUMERS:
                lake = self.folder / f"lake-{name}" / "lake.duckdb"
                connection.execute(f"ATTACH '{lake}' AS {name} (READ_ONLY)")
                found = connection.execute(sums.format(f"{name}.telemetry")).fetchall()
                require(found == revised, f"lake-{name} does not hold what {loser} revised")
                rows.append(connection.execute(f"FROM {name}.telemetry ORDER BY ALL").fetchall())
        require(rows[0] == rows[1], "the lakes differ")
        tell("lakes", f"equal: lake-a and lake-b hold the same {len(rows[0])} readings")

    def show_receipts(self) -> None:
        """Where they are, and how to read them when LocalStack has ended."""
        for name in CONSUMERS:
            tell("receipts", f"{self.count(f'receipts/{name}/')} in {self.feed}/receipts/{name}/")
        copy_feed(open_store(self.feed), FolderStore(self.folder / "feed"))
        TERMINAL.line("")
        TERMINAL.line(("Look  ", BOLD), f"powerstage status {self.folder}/feed")
        TERMINAL.line(("Then  ", BOLD), f"duckdb {self.folder}/lake-a/lake.duckdb 'FROM telemetry'")

    def run(self, code: int, *command: str) -> dict[str, Any]:
        """Run a command of powerstage that must end with this exit code; its document."""
        out, words = self.start(*command).communicate()
        document: dict[str, Any] = json.loads(out or "{}")
        require(document.get("exit_code") == code, f"powerstage {' '.join(command)}: {words}")
        return document

    def start(self, *command: str, output: int | IO[str] = PIPE) -> Popen[str]:
        """A process of powerstage, in the folder."""
        program = [sys.executable, "-m", "powerstage", *command, "--json"]
        return Popen(program, cwd=self.folder, stdout=output, stderr=output, text=True)

    @contextmanager
    def consumer(self, name: str, *options: str) -> Iterator[Popen[str]]:
        """A consumer with its lake, killed with SIGKILL when the block is left; it has a log."""
        command = ("consume", self.feed, "--into", f"lake-{name}", "--as", name, *options)
        path = self.folder / f"consumer-{name}.log"
        with path.open("w", encoding="utf-8") as log, self.start(*command, output=log) as process:
            try:
                yield process
            finally:
                process.kill()

    def count(self, prefix: str) -> int:
        """How many objects of the feed have keys that begin so."""
        return sum(1 for _ in open_store(self.feed).list(prefix))

    def wait_for_receipts(self, name: str, count: int, process: Popen[str]) -> None:
        """Wait until a consumer has sent so many; it must be there until then."""
        while self.count(f"receipts/{name}/") < count:
            with suppress(TimeoutExpired):
                process.wait(0.05)
                raise WrongError(f"consumer {name} has ended: see consumer-{name}.log")


def require(is_so: bool, words: str) -> None:  # noqa: FBT001
    """Raise ``WrongError`` with these words unless it is so."""
    if not is_so:
        raise WrongError(words)


def tell(stage: str, words: str) -> None:
    """A line for a stage that went as it should."""
    TERMINAL.line(("  ✓ ", GOOD), f"{stage:<12}", words)


if __name__ == "__main__":
    sys.exit(main())
