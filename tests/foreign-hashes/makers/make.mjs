// Hashes of bcryptjs, better-auth and ports of ASP.NET Identity, one JSON object a line.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { hashPassword } from "better-auth/crypto";
import bcrypt from "bcryptjs";

const require = createRequire(import.meta.url);
const core = require("aspnetcore-identity-password-hasher");
const framework = require("aspnet-identity-pw");
const asp = require("asp-identity-pw");

const versions = JSON.parse(readFileSync(new URL("package.json", import.meta.url))).dependencies;
const tell = (system, name, password, text) =>
  console.log(JSON.stringify({ system, made_by: `${name} ${versions[name]}`, password, text }));

const passwords = JSON.parse(readFileSync(process.argv[2]));

// Its cost is fixed, and high.
for (const password of passwords.slice(0, 2)) {
  tell("better-auth", "better-auth", password, await hashPassword(password));
}
for (const password of passwords) {
  if (Buffer.byteLength(password) <= 72) {
    tell("bcryptjs", "bcryptjs", password, bcrypt.hashSync(password, 5));
  }
  tell("ASP.NET Core Identity", "aspnetcore-identity-password-hasher", password, await core.hash(password));
  tell("ASP.NET Identity", "aspnet-identity-pw", password, framework.hashPassword(password));
  tell("ASP.NET Identity 2", "asp-identity-pw", password, asp.hashIdentityPasswordV2(password));
  tell("ASP.NET Identity 3", "asp-identity-pw", password, asp.hashIdentityPasswordV3(password));
}
