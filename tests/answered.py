"""Programs that machines' scripts call, answered by the test: it lets things happen between two calls."""

import shlex
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Answers a call: its words; what it prints (one line), or None where it fails.
Answer = Callable[[list[str]], str | None]


#: Asks the test by a socket, and says and ends with what it was told.
_ASK = """#!/bin/bash
ask() {{
  local code said
  exec 3<>/dev/tcp/127.0.0.1/{port}
  printf '%s\\n' "{name} $*" >&3
  read -r code said <&3
  exec 3>&-
  [[ -z $said ]] || echo "$said"
  return "$code"
}}
"""
_ONCE = 'ask "$@"\n'
_EACH_LINE = 'while read -r _; do ask "$@" || exit; done\n'


@contextmanager
def answered(
    folder: Path, names: Iterable[str], answer: Answer, *, by_line: Iterable[str] = ()
) -> Iterator[Path]:
    """Write programs that ask the test, and give the folder they are in until the block ends.

    Args:
        folder: Takes them; is made.
        names: Of the programs.
        answer: What they do.
        by_line: Programs that do it once for each line that they read, and end where it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {**dict.fromkeys(names, _ONCE), **dict.fromkeys(by_line, _EACH_LINE)}
    with _answering(answer) as port:
        for name, kind in kinds.items():
            program = folder / name
            program.write_text(_ASK.format(name=name, port=port) + kind)
            program.chmod(0o755)
        yield folder


@contextmanager
def _answering(answer: Answer) -> Iterator[int]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said = answer(shlex.split(self.rfile.readline().decode()))
            self.wfile.write(b"1 \n" if said is None else f"0 {said}\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
