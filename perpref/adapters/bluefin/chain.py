"""A chain of our own, in this process: deploy, call, look, move the clock, go back.

pyrevm executes the bytecode; there is no node, no server and no network. Two habits matter.
`commit` is never called (a later deployment would halt). And a revert is read from its data
alone: the text of pyrevm's exception can hold the whole state of the chain.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from attrs import frozen

from perpref.adapters.bluefin.install import OPENZEPPELIN, BluefinUnavailable, factory

try:
    from eth_abi.abi import decode, encode
    from eth_hash.auto import keccak
    from pyrevm import EVM, BlockEnv, CfgEnv, Env
except ImportError as error:
    raise BluefinUnavailable(f"a Python package is missing: {error.name}") from error

CHAIN_ID = 1
CODE_LIMIT = 10**6
LOOKER = "0x" + "10" * 20
ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")
ACCOUNT_SUFFIX = re.compile(r": 0x[0-9a-f]{8}\.\.\.[0-9a-f]{8}$")
REVERT_DATA = re.compile(r"^Revert \{[^}]*?output: 0x([0-9a-f]*)")


class Reverted(Exception):
    """A contract refused a call; `reason` is what it said, without the account it names."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reason_of(data: bytes) -> str:
    """What a contract said when it reverted: its text, or the kind of arithmetic panic."""
    if data[:4] == ERROR_STRING:
        (text,) = decode(["string"], data[4:])
        return ACCOUNT_SUFFIX.sub("", str(text))
    if data[:4] == PANIC:
        return f"Panic(0x{int.from_bytes(data[4:], 'big'):02x})"
    return f"0x{data[:4].hex()}" if data else "no reason"


@frozen
class Method:
    """One function of a contract, ready to be called."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, arguments: tuple[Any, ...]) -> bytes:
        """The call data."""
        if not self.inputs:
            return self.selector
        return self.selector + bytes(encode(self.inputs, arguments))


@frozen
class Artefact:
    """A contract as it was published: how to call it, and its code."""

    name: str
    constructor: tuple[str, ...]
    methods: dict[str, Method]
    code: bytes


def _type(parameter: dict[str, Any]) -> str:
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return "(" + ",".join(map(_type, parameter["components"])) + ")" + kind[5:]
    return kind


def _artefact(name: str, abi: list[dict[str, Any]], code: str) -> Artefact:
    constructor: tuple[str, ...] = ()
    methods = {}
    for entry in abi:
        inputs = tuple(map(_type, entry.get("inputs", [])))
        if entry["type"] == "constructor":
            constructor = inputs
        elif entry["type"] == "function":
            outputs = tuple(map(_type, entry["outputs"]))
            selector = keccak(f"{entry['name']}({','.join(inputs)})".encode())[:4]
            methods[entry["name"]] = Method(selector, inputs, outputs)
    return Artefact(name, constructor, methods, bytes.fromhex(code.removeprefix("0x")))


def published(folder: Path, build: str, name: str) -> Artefact:
    """A contract of the engine, from the typechain factory that the package ships.

    The factory is JavaScript; the interface in it is a literal that differs from JSON only in
    unquoted keys and trailing commas.
    """
    text = (folder / factory(build, name)).read_text("utf-8")
    literal = re.search(r"const _abi = (\[.*?\n\]);", text, re.DOTALL)
    code = re.search(r'_bytecode = "0x([0-9a-f]+)"', text)
    if literal is None or code is None:
        raise BluefinUnavailable(f"the factory of {name} does not read as one")
    quoted = re.sub(r"(^|[\s{,])([A-Za-z_]\w*):", r'\1"\2":', literal.group(1))
    return _artefact(name, json.loads(re.sub(r",(\s*[}\]])", r"\1", quoted)), code.group(1))


def proxy_artefact(folder: Path) -> Artefact:
    """The proxy behind which the engine's contracts initialise."""
    path = folder / OPENZEPPELIN / "build/contracts/ERC1967Proxy.json"
    entry = json.loads(path.read_text("utf-8"))
    return _artefact("ERC1967Proxy", entry["abi"], entry["bytecode"])


@frozen
class Contract:
    """A deployed contract."""

    address: str
    artefact: Artefact


class Chain:
    """The chain: contracts, their state, and a clock that only we move."""

    def __init__(self, now: int) -> None:
        environment = Env(cfg=CfgEnv(chain_id=CHAIN_ID, limit_contract_code_size=CODE_LIMIT))
        self._evm = EVM(env=environment, spec_id="LATEST")
        self._block = 1
        self.now = now
        self.advance(0)

    def advance(self, seconds: int) -> None:
        """Move the clock on by so many seconds, and the chain by a block."""
        if seconds < 0:
            raise ValueError(f"the clock does not go back: {seconds} seconds")
        self._set_clock(self.now + seconds)

    def _set_clock(self, now: int) -> None:
        self.now = now
        self._block += 1
        self._evm.set_block_env(BlockEnv(number=self._block, timestamp=now))

    def deploy(self, deployer: str, artefact: Artefact, *arguments: Any) -> Contract:
        """Put a contract on the chain."""
        tail = encode(artefact.constructor, arguments) if artefact.constructor else b""
        try:
            address = self._evm.deploy(deployer, artefact.code + bytes(tail))
        except RuntimeError as error:
            raise self._reverted(error) from None
        return Contract(str(address), artefact)

    def deploy_behind(
        self, deployer: str, proxy: Artefact, artefact: Artefact, *arguments: Any
    ) -> Contract:
        """Put a contract on the chain behind a proxy, initialised in the proxy's constructor."""
        logic = self.deploy(deployer, artefact)
        first = artefact.methods["initialize"].encode(arguments)
        return Contract(self.deploy(deployer, proxy, logic.address, first).address, artefact)

    def call(self, sender: str, contract: Contract, method: str, *arguments: Any) -> None:
        """Call a contract. Raises Reverted, and then nothing has changed."""
        data = contract.artefact.methods[method].encode(arguments)
        self.send(sender, contract, data)

    def send(self, sender: str, contract: Contract, data: bytes) -> bytes:
        """Call a contract with call data that is encoded already."""
        try:
            return bytes(self._evm.message_call(sender, contract.address, data))
        except RuntimeError as error:
            raise self._reverted(error) from None

    def view(self, contract: Contract, method: str, *arguments: Any) -> Any:
        """Look something up; a single result comes bare, several as a tuple."""
        entry = contract.artefact.methods[method]
        data = self.send(LOOKER, contract, entry.encode(arguments))
        results = decode(entry.outputs, data)
        return results[0] if len(results) == 1 else results

    def snapshot(self) -> tuple[Any, int]:
        """A point to return to, once."""
        return self._evm.snapshot(), self.now

    def restore(self, point: tuple[Any, int]) -> None:
        """Return to a point; it is used up, so take a new one to come back again."""
        self._evm.revert(point[0])
        self._set_clock(point[1])

    @staticmethod
    def _reverted(error: RuntimeError) -> Reverted:
        data = REVERT_DATA.match(str(error)[:20_000])
        if data is None:
            return Reverted(str(error)[:60])
        return Reverted(reason_of(bytes.fromhex(data.group(1))))
