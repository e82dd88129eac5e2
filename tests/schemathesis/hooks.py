"""Gives the requests of schemathesis what a client of the program has: an address, an origin, a session."""

import json
import os
import random
import urllib.request

import schemathesis

BASE = os.environ["AUTHKIT_BASE"]
PASSWORD = "a lamp, a boat and four winds"
chance = random.Random(7)


def address():
    """Another client each time: limits have tests of their own."""
    return f"203.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def post(path, body):
    headers = {"content-type": "application/json", "authkit-delivery": "token", "x-forwarded-for": address()}
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def credentials():
    """Of somebody new."""
    account = {"identifier": f"user{chance.getrandbits(64)}@example.com", "password": PASSWORD}
    post("/v1/auth/signup", account)
    return account


def fitting_body(path):
    """What no generator would find: a body that gets past every proof."""
    match path:
        case "/v1/auth/login":
            return credentials()
        case "/v1/auth/signup":
            return {"identifier": f"new{chance.getrandbits(64)}@example.com", "password": PASSWORD}
        case "/v1/auth/refresh":
            return {"refresh_token": post("/v1/auth/login", credentials())["refresh_token"]}
        case "/v1/account/change-password":
            return {"current_password": PASSWORD, "new_password": PASSWORD + ", and a fifth"}


@schemathesis.auth(refresh_interval=5)
class Session:
    """A fresh session of somebody new every few seconds: the run signs out and ends sessions all the time."""

    def get(self, case, context):
        return post("/v1/auth/login", credentials())["access_token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, **kwargs):
    case.headers["X-Forwarded-For"] = address()
    # One request in ten is that of no page.
    if chance.randrange(10):
        case.headers.setdefault("Origin", BASE)
    if case.meta is not None and case.meta.generation.mode.is_positive and chance.randrange(4) == 0:
        body = fitting_body(case.path)
        if body is not None:
            case.body = body
            case.headers["authkit-delivery"] = chance.choice(["token", "split", "cookie"])
