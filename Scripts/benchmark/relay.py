# SPDX-License-Identifier: Apache-2.0
"""Connections to a server on loopback, plain and through the relay of --allow-host, side by side.

    relay.py ROUNDS CONNECTS BULK NSRUN     CONNECTS and BULK get the samples, in µs, that report.py reads
"""
import socket
import subprocess
import sys
import threading

SIZE = 256 << 20  # bytes of one transfer
CLIENT = f"""
import socket, sys, time
greeter, sender = map(int, sys.argv[1:])
def connect():
    with socket.create_connection(("localhost", greeter)) as s: s.recv(1)
def transfer():
    with socket.create_connection(("localhost", sender)) as s:
        left, room = {SIZE}, memoryview(bytearray(1 << 20))
        while left > 0:
            count = s.recv_into(room)
            if count == 0: sys.exit("the transfer is cut off")
            left -= count
for line in sys.stdin:
    what, count = line.split()
    begin = time.monotonic_ns()
    for _ in range(int(count)): globals()[what]()
    print((time.monotonic_ns() - begin) / 1000 / int(count), flush=True)
"""


def serve(answer) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def take() -> None:
        while True:
            guest = listener.accept()[0]
            threading.Thread(target=answer, args=(guest,), daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    return listener.getsockname()[1]


def greet(guest: socket.socket) -> None:
    with guest:
        guest.sendall(b"x")


def send(guest: socket.socket) -> None:
    block = bytes(1 << 20)
    with guest:
        for _ in range(SIZE >> 20):
            guest.sendall(block)


def main() -> None:
    rounds, nsrun = int(sys.argv[1]), sys.argv[4]
    ports = [str(serve(greet)), str(serve(send))]
    launchers = {"plain": [], "relayed": [nsrun, "--allow-host", "localhost:" + ports[0],
                                          "--allow-host", "localhost:" + ports[1], "--"]}
    clients = {name: subprocess.Popen([*words, "python3", "-c", CLIENT, *ports], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
               for name, words in launchers.items()}

    def ask(name: str, what: str, count: int) -> str:
        client = clients[name]
        client.stdin.write(f"{what} {count}\n")
        client.stdin.flush()
        return client.stdout.readline().strip() or sys.exit(f"relay.py: {name} has ended")

    for file, what, count in (sys.argv[2], "connect", 50), (sys.argv[3], "transfer", 1):
        with open(file, "w", encoding="utf-8") as samples:
            print("\t".join(clients), file=samples)
            for _ in range(rounds):
                print("\t".join(ask(name, what, count) for name in clients), file=samples)
    for client in clients.values():
        client.stdin.close()
        client.wait()


main()
