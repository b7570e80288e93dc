"""One prompt of an agent that speaks the Agent Client Protocol, JSON-RPC over its stdin and stdout.

python acp_prompt.py SESSION PROMPT PROGRAM [ARGUMENT …]

Prints what the agent says, and allows what it asks for. The file SESSION names the session, which
goes on if the file is there.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

END_S = 10


class Agent:
    """The program, and the calls to it."""

    def __init__(self, args: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(args, stdin=pipe, stdout=pipe, text=True)
        self._last_id = 0

    def call(self, method: str, **params: Any) -> Any:
        """Returns the result of a call; prints everything that arrives before it."""
        self._last_id += 1
        self._send(id=self._last_id, method=method, params=params)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line) if line.startswith("{") else {}
            print(_text_of(message) or line, end="", flush=True)
            if "method" not in message and message.get("id") == self._last_id:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']['message']}")
                return message["result"]
            if message.get("method") == "session/request_permission":
                options = message["params"]["options"]
                chosen = next(o["optionId"] for o in options if o["kind"].startswith("allow"))
                outcome = {"outcome": "selected", "optionId": chosen}
                self._send(id=message["id"], result={"outcome": outcome})
        sys.exit("The agent has ended.")

    def end(self) -> None:
        """Waits until the agent has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(END_S)

    def _send(self, **members: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **members}) + "\n")
        self._process.stdin.flush()


def _text_of(message: dict[str, Any]) -> str:
    """What the model thinks or answers, if the message has it."""
    update = message.get("params", {}).get("update", {})
    is_text = update.get("sessionUpdate") in ("agent_thought_chunk", "agent_message_chunk")
    return str(update["content"]["text"]) if is_text else ""


def main(session: Path, prompt: str, *program: str) -> None:
    """Sends the prompt, and waits for the end of the answer."""
    agent = Agent(list(program))
    agent.call("initialize", protocolVersion=1, clientCapabilities={})
    where: dict[str, Any] = {"cwd": str(Path.cwd()), "mcpServers": []}
    if session.exists():
        id = session.read_text()
        agent.call("session/load", sessionId=id, **where)
    else:
        id = agent.call("session/new", **where)["sessionId"]
        session.write_text(id)
    agent.call("session/prompt", sessionId=id, prompt=[{"type": "text", "text": prompt}])
    agent.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
