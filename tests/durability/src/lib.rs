//! Tests in `tests/` kill PostgreSQL and MariaDB under load, and look at what is left.
