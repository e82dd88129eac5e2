-- As better-auth makes it on PostgreSQL, and but for the names of types on SQLite. The password is `correct horse`; the
-- hash is from authkit-password/tests/data.
CREATE TABLE "user" (
  "id" text NOT NULL PRIMARY KEY,
  "name" text NOT NULL,
  "email" text NOT NULL UNIQUE,
  "emailVerified" boolean NOT NULL,
  "image" text,
  "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
  "updatedAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE "account" (
  "id" text NOT NULL PRIMARY KEY,
  "accountId" text NOT NULL,
  "providerId" text NOT NULL,
  "userId" text NOT NULL REFERENCES "user" ("id") ON DELETE CASCADE,
  "accessToken" text,
  "refreshToken" text,
  "idToken" text,
  "accessTokenExpiresAt" timestamptz,
  "refreshTokenExpiresAt" timestamptz,
  "scope" text,
  "password" text,
  "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
  "updatedAt" timestamptz NOT NULL
);

INSERT INTO "user" ("id", "name", "email", "emailVerified", "createdAt") VALUES
  ('RqXw1', 'Ada', 'ada@example.com', true, '2025-05-01T10:00:00.000Z'),
  ('TzYv2', 'Bob', 'bob@example.com', false, '2025-05-02T10:00:00.000Z');

INSERT INTO "account" ("id", "accountId", "providerId", "userId", "password", "updatedAt") VALUES
  ('a1', 'RqXw1', 'credential', 'RqXw1',
   '1276b821995edd328d81e1f7a126dd94:5cff1b31fbfbebcdb33a0e84595f2c953c102ac26c95d35d970b79a5b99bd66eadd4f03591e49fa6a32c219cf1ce175c4bdcaeb4848041123b5da3f547e9f3ad',
   '2025-05-01T10:00:00.000Z'),
  ('a2', '10001', 'github', 'RqXw1', NULL, '2025-05-01T10:00:00.000Z'),
  ('a3', '10002', 'github', 'TzYv2', NULL, '2025-05-02T10:00:00.000Z');
