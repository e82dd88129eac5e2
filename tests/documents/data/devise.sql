-- As Devise's generator makes it, with confirmable. The password is `correct horse`; the hash is from
-- authkit-password/tests/data.
CREATE TABLE users (
  id bigserial PRIMARY KEY,
  email character varying DEFAULT '' NOT NULL UNIQUE,
  encrypted_password character varying DEFAULT '' NOT NULL,
  reset_password_token character varying UNIQUE,
  reset_password_sent_at timestamp(6) without time zone,
  remember_created_at timestamp(6) without time zone,
  confirmation_token character varying UNIQUE,
  confirmed_at timestamp(6) without time zone,
  confirmation_sent_at timestamp(6) without time zone,
  unconfirmed_email character varying,
  created_at timestamp(6) without time zone NOT NULL,
  updated_at timestamp(6) without time zone NOT NULL
);

INSERT INTO users (email, encrypted_password, confirmed_at, created_at, updated_at) VALUES
  ('plain@example.com', '$2a$05$pkKUos6hGzuGDomaBon0z.KQnVX8BwbEfByrQxVvQQsPFdtWfvU06', now(), now(), now()),
  ('by-provider@example.com', '', NULL, now(), now());
