#!/usr/bin/env python3
"""Makes an nkey for every role of accounts.conf, and the secret that the servers of a cluster know each other by.

    infra/nats/make-keys.py [--into FOLDER] [ROUTE_HOST:PORT ...]

    FOLDER/ROLE.nk       the role's seed: `a4co up --nats-nkey FOLDER/host.nk`. Secret; give each process its own only
    FOLDER/public.conf   the public keys, which accounts.conf includes
    FOLDER/routes.conf   the servers of a cluster and their secret, which cluster/node-*.conf include. Secret

The folder is infra/nats/keys unless --into says otherwise; the servers are three on this machine unless some are named.
What is there is kept: to replace a role's key, remove its .nk file and run it again. Needs openssl.
"""

import argparse
import base64
import os
import secrets
import subprocess
from pathlib import Path

ROLES = ["system", "host", "bridge", "operator", "reader"] + [
    # A service each, named as its component is.
    "artisan", "product", "inventory", "order", "payment", "saga", "notification", "user",
]
SERVERS = ["127.0.0.1:6222", "127.0.0.1:6223", "127.0.0.1:6224"]

# What the first bits of an nkey say that it is.
USER = 20 << 3
SEED = 18 << 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parent / "keys", metavar="FOLDER")
    parser.add_argument("servers", nargs="*", default=SERVERS, metavar="ROUTE_HOST:PORT")
    arguments = parser.parse_args()
    folder = arguments.into
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)

    public = {role: role_key(folder / f"{role}.nk") for role in ROLES}
    lines = [f"{role.upper()}_NKEY: {key}\n" for role, key in public.items()]
    (folder / "public.conf").write_text("# Made by make-keys.py: the public key of each role.\n" + "".join(lines))
    write_routes(folder, arguments.servers)
    print(f"{len(ROLES)} roles have keys in {folder}: each process gets its own .nk file,")
    print("the servers get public.conf and, in a cluster, routes.conf")


def role_key(file):
    """The public key of a role, whose seed is made where there is none."""
    if not file.exists():
        private = openssl("genpkey", "-algorithm", "ed25519", "-outform", "DER")[-32:]
        write_secret(file, nkey(bytes([SEED | USER >> 5, (USER & 31) << 3]), private))
    text = file.read_text().strip()
    private = base64.b32decode(text + "=" * (-len(text) % 8))[2:-2]
    # An ed25519 key in DER is a fixed head and its 32 bytes.
    der = bytes.fromhex("302e020100300506032b657004220420") + private
    return nkey(bytes([USER]), openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=der)[-32:])


def write_routes(folder, servers):
    """Routes with a secret of their own, kept where there is one."""
    file = folder / "route.secret"
    if not file.exists():
        write_secret(file, secrets.token_hex(24))
    secret = file.read_text().strip()
    routes = "".join(f'  "nats-route://route:{secret}@{server}"\n' for server in servers)
    (folder / "routes.conf").write_text(
        "# Made by make-keys.py: the servers of the cluster, and what they know each other by. Secret.\n"
        f'authorization {{ user: route, password: "{secret}", timeout: 2 }}\nroutes: [\n{routes}]\n'
    )


def write_secret(file, text):
    """Written for its owner alone, and never over another."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text + "\n")


def nkey(head, key):
    """A key as NATS writes it: what it is, 32 bytes, a checksum, in base32."""
    checksum = 0
    for byte in head + key:
        checksum ^= byte << 8
        for _ in range(8):
            checksum = (checksum << 1 ^ 0x1021 if checksum & 0x8000 else checksum << 1) & 0xFFFF
    return base64.b32encode(head + key + checksum.to_bytes(2, "little")).decode().rstrip("=")


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *arguments], input=given, stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    main()
