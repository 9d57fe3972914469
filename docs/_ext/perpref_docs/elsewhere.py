"""What is written elsewhere and shown here: the command line's help, and JSON Schemas.

```{command-line} perpref.cli:main
:called: perpref
```

```{json-schema} ../spec/schema/protocol-1.json
```
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import click
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from perpref_docs.room import make_room
from perpref_docs.rules import marked_up, rule_domain
from perpref_docs.tables import table


class CommandLineDirective(SphinxDirective):
    """The help of a click command and of every command below it."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"called": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        if "called" not in self.options:
            raise self.error("say how the command is called, with :called:")
        module, _, name = self.arguments[0].partition(":")
        try:
            command = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            domain = rule_domain(self.env)
            if domain.is_complete:
                domain.complain(f"there is no command line: {error}", self.get_location())
            return [nodes.paragraph("", "The command line is not written yet.")]
        context = click.Context(command, info_name=self.options["called"], max_content_width=80)
        made: list[nodes.Node] = []
        for words, text in _pages(context):
            section = nodes.section(names=[words])
            self.state.document.note_explicit_target(section)
            section += nodes.title("", "", nodes.literal("", words))
            section += nodes.literal_block(text, text, language="text")
            made.append(section)
        return made


def _pages(context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, context.command.get_help(context)
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            below = context.command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _pages(click.Context(below, info_name=name, parent=context))


class JsonSchemaDirective(SphinxDirective):
    """A JSON Schema as tables of fields, one for each definition, and its text."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        try:
            text = Path(path).read_text(encoding="utf-8")
            schema: dict[str, Any] = json.loads(text)
        except OSError as error:
            domain = rule_domain(self.env)
            if domain.is_complete:
                domain.complain(f"the schema cannot be read: {error}", self.get_location())
            return [nodes.paragraph("", "This schema is not written yet.")]
        self.prefix = nodes.make_id(Path(path).stem)
        made: list[nodes.Node] = []
        if "description" in schema:
            made.append(nodes.paragraph("", "", *marked_up(schema["description"])))
        if "properties" in schema:
            made.append(self.fields(schema))
        for defined, shape in schema.get("$defs", {}).items():
            made.append(self.definition(defined, shape))
        listing = nodes.literal_block(text, text, language="json")
        line = [
            nodes.inline("", "Text", classes=["room-label"]),
            nodes.literal("", Path(path).name),
        ]
        made.append(make_room("code", line, [listing], is_open=False))
        return made

    def definition(self, name: str, shape: dict[str, Any]) -> nodes.Node:
        section = nodes.section(ids=[self.anchor(name)], classes=["schema"])
        section += nodes.title("", "", nodes.literal("", name))
        if "description" in shape:
            section += nodes.paragraph("", "", *marked_up(shape["description"]))
        section += self.fields(shape) if "properties" in shape else self.plainly(shape)
        return section

    def anchor(self, name: str) -> str:
        return nodes.make_id(f"{self.prefix}-{name}")

    def fields(self, shape: dict[str, Any]) -> nodes.Node:
        required = shape.get("required", ())
        rows = [
            [
                [nodes.literal("", name)],
                self.kind(field),
                [nodes.Text("yes" if name in required else "no")],
                marked_up(field.get("description", "")) if isinstance(field, dict) else [],
            ]
            for name, field in shape["properties"].items()
        ]
        head = ["Field", "Type", "Required", "Meaning"]
        if not any(meaning for *_, meaning in rows):
            head, rows = head[:-1], [row[:-1] for row in rows]
        return table(head, rows, "fields")

    def plainly(self, shape: dict[str, Any]) -> nodes.Node:
        return nodes.paragraph("", "", *self.kind(shape))

    def kind(self, shape: Any) -> Sequence[nodes.Node]:
        """What may stand there, in few words, with links to the definitions."""
        if not isinstance(shape, dict):
            return [nodes.Text("anything" if shape else "nothing")]
        if "$ref" in shape:
            name = shape["$ref"].rpartition("/")[2]
            return [nodes.reference("", name, refid=self.anchor(name), internal=True)]
        if "const" in shape:
            return [nodes.literal("", json.dumps(shape["const"]))]
        if "enum" in shape:
            return self.joined([[nodes.literal("", json.dumps(word))] for word in shape["enum"]])
        for key in ("oneOf", "anyOf"):
            if key in shape:
                return self.joined([self.kind(one) for one in shape[key]])
        if shape.get("type") == "array":
            return [nodes.Text("list of "), *self.kind(shape.get("items", True))]
        if isinstance(shape.get("additionalProperties"), dict):
            return [nodes.Text("map to "), *self.kind(shape["additionalProperties"])]
        if "properties" in shape:
            return [nodes.literal("", "{" + ", ".join(shape["properties"]) + "}")]
        kind = shape.get("type", "anything")
        made: list[nodes.Node] = [nodes.Text(kind if isinstance(kind, str) else " or ".join(kind))]
        if "pattern" in shape:
            made += [nodes.Text(" like "), nodes.literal("", shape["pattern"])]
        return made

    def joined(self, choices: Sequence[Sequence[nodes.Node]]) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for choice in choices:
            if made:
                made.append(nodes.Text(" or "))
            made += choice
        return made


def setup(app: Sphinx) -> None:
    """Register the two directives."""
    app.add_directive("command-line", CommandLineDirective)
    app.add_directive("json-schema", JsonSchemaDirective)
