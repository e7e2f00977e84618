"""Apache with mod_auth_openidc: the event MPM, HTTP/2 on, sessions in the module's default, a cache in shared memory."""

import os

from harness.process import Process, write
from harness.tools import tool

CLIENT_ID = "apache"
CALLBACK = "/oauth2/callback"
MODULES = ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "headers", "http2", "proxy",
           "proxy_http", "socache_shmcb", "ssl")

CONFIGURATION = """
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
Listen 127.0.0.1:{port} https
ListenBacklog 4096
{user}
ErrorLog {directory}/apache-error.log
LogLevel error
{modules}

# As many processes as the others have workers, kept; enough threads for all connections that the benches make.
ServerLimit {workers}
StartServers {workers}
ThreadsPerChild 128
ThreadLimit 128
MaxRequestWorkers {threads}
MinSpareThreads 1
MaxSpareThreads {threads}
MaxConnectionsPerChild 0
AsyncRequestWorkerFactor 100
Protocols h2 http/1.1
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
LimitRequestFieldSize 32768

LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {directory}/apache-access.log combined
BufferedLogs On

SSLCertificateFile {certificate.chain}
SSLCertificateKeyFile {certificate.key}
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionCache shmcb:{directory}/apache-tls(512000)

OIDCProviderMetadataURL https://login.localhost:{issuer_port}/.well-known/openid-configuration
OIDCCABundlePath {certificate.chain}
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCRedirectURI https://localhost:{port}{callback}
OIDCCryptoPassphrase {passphrase}
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCSessionInactivityTimeout 7200

<VirtualHost 127.0.0.1:{port}>
    ServerName localhost
    SSLEngine on
    ProxyPass /oauth2/ !
    ProxyPass / http://127.0.0.1:{target}/ enablereuse=on keepalive=on max=128 ttl=300
    RequestHeader set X-Forwarded-Proto https
    RequestHeader set X-Forwarded-Port {port}
    <Location />
        AuthType openid-connect
        Require valid-user
    </Location>
</VirtualHost>
"""


def proxy(directory, certificate, target_port, issuer_port, port, secret, passphrase, *, workers=2):
    """Not started. The issuer is at `login.localhost:issuer_port` and has the client `apache` with that secret."""
    folder = "/usr/lib/apache2/modules"
    modules = "\n".join(f"LoadModule {name}_module {folder}/mod_{name}.so" for name in MODULES)
    path = write(directory, "apache.conf", CONFIGURATION.format(
        directory=directory, certificate=certificate, target=target_port, issuer_port=issuer_port, port=port, secret=secret,
        passphrase=passphrase, client_id=CLIENT_ID, callback=CALLBACK, modules=modules, workers=workers,
        threads=workers * 128, user="User www-data\nGroup www-data" if os.getuid() == 0 else ""))
    return Process([tool("apache2"), "-DFOREGROUND", "-f", path], directory, "apache", port)
