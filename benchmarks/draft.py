"""A result in the making: what was measured so far, here and in the run that this goes on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from evit_deploy import __version__
from evit_deploy.benchmarks.bundle import Bundle
from evit_deploy.benchmarks.fingerprint import differences
from evit_deploy.benchmarks.plan import Plan
from evit_deploy.benchmarks.results import Result, Subject
from evit_deploy.benchmarks.rounds import Rounds
from evit_deploy.devices import Device
from evit_deploy.errors import Exit, SetupError, UserError


class Draft:
    """See above.

    Args:
        agent: its hash is recorded.
        plan: see `Plan`.
        earlier: the partial result to go on with; None begins anew.
        artifacts: path and description of each.
        devices: need not be open.

    Raises:
        UserError: `earlier` is of other artifacts or devices, another plan or program.
    """

    def __init__(
        self,
        agent: Bundle,
        plan: Plan,
        earlier: Result | None,
        artifacts: Sequence[tuple[Path, Subject]],
        devices: Sequence[Device],
    ) -> None:
        self.agent, self._plan, self._earlier = agent, plan, earlier
        self._tool = {"name": "evit-deploy", "version": __version__, "agent_sha256": agent.sha256}
        self._facts: dict[str, dict[str, Any]] = {} if earlier is None else dict(earlier.devices)
        self._artifacts = tuple(str(path) for path, _ in artifacts)
        self._targets = {device.label: _target(device) for device in devices}
        if earlier is not None:
            self._refuse_others(earlier, [subject for _, subject in artifacts])
        known = () if earlier is None else earlier.measurements
        self.rounds = [Rounds(device, artifacts, plan, known) for device in devices]
        self._created = datetime.now(timezone.utc).isoformat(timespec="seconds")

    def add_facts(self, device: Device) -> None:
        """Ask the open device what it is.

        Raises:
            SetupError: not what it was when the interrupted run measured there.
        """
        facts = device.facts()
        before = self._facts.setdefault(device.label, facts)
        changed = differences(before, facts)
        if changed:
            raise SetupError(
                f"{device.label}: not as it was when the earlier launches were taken: "
                f"{'; '.join(changed[:3])}; measure all of it again, without --resume",
                Exit.DEVICE,
            )

    def result(self, partial: str | None) -> Result:
        """All that there is now; `partial` says what ended the run."""
        return Result(
            created=self._created if self._earlier is None else self._earlier.created,
            tool=self._tool,
            plan=self._plan.as_dict(),
            devices=self._facts,
            measurements=tuple(m for rounds in self.rounds for m in rounds.measurements()),
            artifacts=self._artifacts,
            targets=self._targets,
            partial=partial,
        )

    def _refuse_others(self, earlier: Result, subjects: Sequence[Subject]) -> None:
        """Launches that were taken otherwise cannot stand beside ours."""
        known = {m.subject.name: m.subject.sha256 for m in earlier.measurements}
        for subject in subjects:
            if known.get(subject.name, subject.sha256) != subject.sha256:
                raise _not_resumable(
                    f"{subject.path} is another file now (sha256 {subject.sha256[:12]}, then "
                    f"{known[subject.name][:12]})"
                )
        pairs = {
            "plan": (earlier.plan, self._plan.as_dict()),
            "program": (earlier.tool, self._tool),
            "set of devices": (earlier.targets, self._targets),
        }
        for name, (then, now) in pairs.items():
            if then != now:
                raise _not_resumable(f"the {name} differs: {_difference(then, now)}")


def _target(device: Device) -> str:
    """What `resolve` makes this device of: its name in evit.toml, which stands in front of its label."""
    name, sign, _ = device.label.partition(" = ")
    return name if sign else device.name


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(f"{name} {then.get(name)} then, {now.get(name)} now" for name in names)


def _not_resumable(why: str) -> UserError:
    return UserError(f"cannot go on with the earlier result: {why}; measure all of it again")
