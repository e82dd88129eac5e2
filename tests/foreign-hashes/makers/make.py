"""Hashes of passlib, Django, werkzeug, bcrypt, argon2-cffi and firebase-scrypt, one JSON object a line."""

import base64
import importlib.metadata
import json
import os
import sys

import argon2
import argon2.low_level
import bcrypt
import django.conf
from django.contrib.auth import hashers
from firebase_scrypt import encrypt, generate_derived_key
from passlib import hash as passlib
from werkzeug.security import generate_password_hash

PASSWORDS = json.load(open(sys.argv[1], encoding="utf-8"))

# What the console of a project shows; this one is public, from the documentation of firebase/scrypt.
SIGNER_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
SALT_SEPARATOR = "Bw=="


def tell(system, package, password, **how):
    made_by = f"{package} {importlib.metadata.version(package)}"
    print(json.dumps({"system": system, "made_by": made_by, "password": password, **how}))


def of_passlib(password):
    kinds = {
        "bcrypt": passlib.bcrypt.using(rounds=5),
        "bcrypt 2a": passlib.bcrypt.using(rounds=5, ident="2a"),
        "bcrypt_sha256": passlib.bcrypt_sha256.using(rounds=5),
        "bcrypt_sha256, version 1": passlib.bcrypt_sha256.using(rounds=5, version=1),
        "argon2id": passlib.argon2.using(rounds=2, memory_cost=1024, parallelism=2),
        "argon2i": passlib.argon2.using(type="I", rounds=2, memory_cost=1024),
        "argon2d": passlib.argon2.using(type="D", rounds=2, memory_cost=1024),
        "pbkdf2_sha1": passlib.pbkdf2_sha1.using(rounds=1000),
        "pbkdf2_sha256": passlib.pbkdf2_sha256.using(rounds=1000),
        "pbkdf2_sha512": passlib.pbkdf2_sha512.using(rounds=1000),
        "scrypt": passlib.scrypt.using(rounds=10),
        "phpass": passlib.phpass.using(rounds=8),
        "phpass of phpBB": passlib.phpass.using(rounds=8, ident="H"),
    }
    for name, kind in kinds.items():
        # passlib refuses what its bcrypt would cut.
        if name in ("bcrypt", "bcrypt 2a") and len(password.encode()) > 72:
            continue
        tell(f"passlib {name}", "passlib", password, text=kind.hash(password))


def of_django(password):
    class Pbkdf2(hashers.PBKDF2PasswordHasher):
        iterations = 1000

    class Pbkdf2Sha1(hashers.PBKDF2SHA1PasswordHasher):
        iterations = 1000

    class Bcrypt(hashers.BCryptSHA256PasswordHasher):
        rounds = 5

    class BcryptPlain(hashers.BCryptPasswordHasher):
        rounds = 5

    class Scrypt(hashers.ScryptPasswordHasher):
        work_factor = 2**10

    class Argon2(hashers.Argon2PasswordHasher):
        memory_cost = 1024

    for kind in (Pbkdf2, Pbkdf2Sha1, Bcrypt, BcryptPlain, Scrypt, Argon2):
        if kind is BcryptPlain and len(password.encode()) > 72:
            continue
        hasher = kind()
        tell(f"Django {hasher.algorithm}", "Django", password, text=hasher.encode(password, hasher.salt()))


def of_others(password):
    for method in ("scrypt:1024:8:1", "pbkdf2:sha1:1000", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000"):
        text = generate_password_hash(password, method=method)
        tell(f"werkzeug {method}", "werkzeug", password, text=text)
    if len(password.encode()) <= 72:
        text = bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()
        tell("Python bcrypt", "bcrypt", password, text=text)
    hasher = argon2.PasswordHasher(memory_cost=1024, time_cost=1)
    tell("argon2-cffi", "argon2-cffi", password, text=hasher.hash(password))
    of_keycloak(password)


def of_firebase(password):
    salt = os.urandom(10)
    key = generate_derived_key(password, salt, SALT_SEPARATOR, 8, 14)
    made = base64.b64encode(encrypt(base64.b64decode(SIGNER_KEY), key)).decode()
    firebase = {"password_hash": made, "salt": base64.b64encode(salt).decode()}
    tell("Firebase", "firebase-scrypt", password, firebase=firebase)


def of_keycloak(password):
    """Argon2 as Keycloak keeps it; the function is that of argon2-cffi, which computes the same as Bouncy Castle."""
    salt = os.urandom(16)
    kind = argon2.low_level.Type.ID
    value = argon2.low_level.hash_secret_raw(password.encode(), salt, 5, 1024, 1, 32, kind)
    secret, value = (base64.b64encode(raw).decode() for raw in (salt, value))
    parameters = {"hashLength": ["32"], "memory": ["1024"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    credential = {"hashIterations": 5, "algorithm": "argon2", "additionalParameters": parameters}
    data = {"value": value, "salt": secret, "additionalParameters": {}}
    keycloak = {"secret_data": json.dumps(data), "credential_data": json.dumps(credential)}
    tell("Keycloak argon2", "argon2-cffi", password, keycloak=keycloak)


def at_the_usual_cost(password):
    tell("Django, default", "Django", password, text=hashers.make_password(password))
    tell("Django argon2, default", "Django", password, text=hashers.make_password(password, hasher="argon2"))
    tell("Django scrypt, default", "Django", password, text=hashers.make_password(password, hasher="scrypt"))
    tell("werkzeug, default", "werkzeug", password, text=generate_password_hash(password))
    tell("passlib scrypt, default", "passlib", password, text=passlib.scrypt.hash(password))
    tell("passlib bcrypt, default", "passlib", password, text=passlib.bcrypt.hash(password))


django.conf.settings.configure(
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.ScryptPasswordHasher",
    ]
)
for password in PASSWORDS:
    of_passlib(password)
    of_django(password)
    of_others(password)
# Its cost is that of the project, and high.
for password in PASSWORDS[:2]:
    of_firebase(password)
at_the_usual_cost(PASSWORDS[0])
