//! Certificates for servers that are to be connected to by TLS.

/// Shell commands that make an authority and a certificate of it for 127.0.0.1: `authority.crt`, `server.crt` and
/// `server.key`, in the working directory.
pub const MAKE_CERTIFICATES: &str = "\
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -keyout authority.key -out authority.crt && \
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server \
    -keyout server.key -out server.csr && \
    echo subjectAltName=IP:127.0.0.1 > names && \
    openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -extfile names \
    -out server.crt";
