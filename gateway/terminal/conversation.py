"""A conversation: prompts one after the other, and commands that begin with a slash."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from gateway.terminal.errors import ClientError
from gateway.terminal.events import as_dict
from gateway.terminal.formats import ChatMessages
from gateway.terminal.text import strip_controls
from gateway.terminal.turn_runner import TurnRunner

QUIT = "/quit"


class Conversation:
    """Sends each prompt with the turns before it."""

    def __init__(self, runner: TurnRunner) -> None:
        self._runner = runner
        self._messages: ChatMessages = []
        self._last_prompt = ""
        self._status = 0
        self._commands: dict[str, tuple[Callable[[str], None], str, str]] = {
            "/help": (self._help, "", "this list"),
            "/new": (self._new, "", "begin a new conversation"),
            "/model": (self._model, "[NAME]", "go on with another model; without a name: the list"),
            "/retry": (self._retry, "", "ask the last prompt again"),
            "/save": (self._save, "FILE", "write the conversation to a file, as Markdown"),
            QUIT: (lambda _: None, "", "end; Ctrl-D does too"),
        }

    def run(self, prompts: Iterable[str]) -> int:
        """Runs until the prompts end. Returns the exit status of the last turn.

        A failed turn is left out of the history. A turn that was stopped with Ctrl-C is kept as far
        as it came.
        """
        for prompt in prompts:
            name, _, argument = prompt.partition(" ")
            if name in self._commands and "\n" not in prompt:
                try:
                    self._commands[name][0](argument.strip())
                except ClientError as error:
                    error.show()
            elif name.startswith("/") and name[1:].isalpha() and "\n" not in prompt:
                _say(f"There is no command {name}; /help lists them.")
            else:
                self._ask(prompt)
        return self._status

    def _ask(self, prompt: str) -> None:
        output = self._runner.make_output()
        self._last_prompt = prompt
        self._messages.append({"role": "user", "content": prompt})
        self._status = 0
        try:
            self._runner.run(self._messages, output)
        except ClientError as error:
            error.show()
            output.answer, self._status = "", error.exit_code
        except KeyboardInterrupt:
            _say("Stopped.")
        if output.answer:
            self._messages.append({"role": "assistant", "content": output.answer})
        else:
            self._messages.pop()

    def _help(self, _: str) -> None:
        for name, (_action, argument, meaning) in self._commands.items():
            _say(f"{f'{name} {argument}':14} {meaning}")

    def _new(self, _: str) -> None:
        self._messages.clear()
        self._last_prompt = ""
        _say("A new conversation.")

    def _model(self, name: str) -> None:
        if name:
            self._runner = dataclasses.replace(self._runner, model=name)
            _say(f"From now on: {name}.")
            return
        models = self._runner.client.get("/v1/models").get("data") or ()
        _say(f"Now: {self._runner.model or 'the gateway chooses'}. There are:")
        for model in models:
            _say(f"  {as_dict(model).get('id')}")

    def _retry(self, _: str) -> None:
        if not self._last_prompt:
            _say("There is no prompt to ask again.")
            return
        asked = {"role": "user", "content": self._last_prompt}
        if self._messages[-2:-1] == [asked]:
            del self._messages[-2:]
        self._ask(self._last_prompt)

    def _save(self, name: str) -> None:
        if not name:
            raise ClientError("/save needs the name of a file")
        heads = {"user": "## Prompt", "assistant": "## Answer"}
        parts = [f"{heads[m['role']]}\n\n{m['content'].strip()}\n" for m in self._messages]
        text = "\n".join(parts).encode("utf-8", "replace")
        try:
            with Path(name).expanduser().open("xb") as file:
                file.write(text)
        except FileExistsError:
            raise ClientError(f"{name} exists; choose another name") from None
        except OSError as error:
            raise ClientError(f"{name} cannot be written: {error.strerror}") from None
        _say(f"Saved to {name}.")


def _say(line: str) -> None:
    click.secho(strip_controls(line), err=True, dim=True)
