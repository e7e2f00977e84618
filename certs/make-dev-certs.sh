#!/usr/bin/env bash
# Makes development certificates in this directory: an authority of your own and a certificate for localhost by it.
#
#   certs/make-dev-certs.sh                    localhost, login.localhost, 127.0.0.1, ::1
#   certs/make-dev-certs.sh app.test 10.0.0.7  those, and these names and addresses
#
# What exists and is valid for another day is kept, the authority above all, since you may have told a browser to trust it.
# `--new` as the first argument makes everything anew. All keys stay out of git (.gitignore) and belong to development only.
set -euo pipefail
umask 077
cd "$(dirname "${BASH_SOURCE[0]}")"

authority_days=3650
certificate_days=397 # browsers refuse more

command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 1; }
if [ "${1:-}" = --new ]; then
    shift
    rm -f dev-ca.pem dev-ca-key.pem localhost.pem localhost-key.pem
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

is_valid() { [ -s "$1" ] && openssl x509 -in "$1" -noout -checkend 86400 >/dev/null 2>&1; }
# Renames what is complete, so that nobody reads half a key.
put() { chmod "$3" "$1" && mv -f "$1" "$2"; }

if ! is_valid dev-ca.pem || [ ! -s dev-ca-key.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days "$authority_days" \
        -subj "/CN=Vestibule development CA, $(hostname)" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$work/ca-key.pem" -out "$work/ca.pem" 2>/dev/null
    put "$work/ca-key.pem" dev-ca-key.pem 600
    put "$work/ca.pem" dev-ca.pem 644
    rm -f localhost.pem
    echo "made certs/dev-ca.pem: the authority; a browser or the system may be told to trust it"
fi

names="DNS:localhost,DNS:login.localhost,IP:127.0.0.1,IP:::1"
for name in "$@"; do
    case $name in
        *:* | [0-9]*.*[0-9].[0-9]*) names+=",IP:$name" ;;
        *) names+=",DNS:$name" ;;
    esac
done

if ! is_valid localhost.pem || [ ! -s localhost-key.pem ] || [ $# -gt 0 ]; then
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=localhost" \
        -keyout "$work/key.pem" -out "$work/request.pem" 2>/dev/null
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
        "extendedKeyUsage=serverAuth" "subjectAltName=$names" >"$work/extensions"
    openssl x509 -req -in "$work/request.pem" -CA dev-ca.pem -CAkey dev-ca-key.pem -days "$certificate_days" \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/extensions" -out "$work/leaf.pem" 2>/dev/null
    cat "$work/leaf.pem" dev-ca.pem >"$work/chain.pem"
    put "$work/key.pem" localhost-key.pem 600
    put "$work/chain.pem" localhost.pem 644
    echo "made certs/localhost.pem and certs/localhost-key.pem: $names"
fi
