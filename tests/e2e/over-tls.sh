#!/usr/bin/env bash
# Runs an end-to-end script over TLS:  bash over-tls.sh COMMAND…
# Its servers have a certificate of an authority that is made for this run (CERTIFICATES names the folder), and its clients trust that
# authority as they trust others: no check is turned off.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bash "$here/authority.sh" "$folder"

# Chromium reads those that were added on Linux from here.
mkdir -p "$folder/home/.pki/nssdb"
certutil -d "sql:$folder/home/.pki/nssdb" -N --empty-password
certutil -d "sql:$folder/home/.pki/nssdb" -A -t C,, -n tests -i "$folder/ca.pem"

export CERTIFICATES=$folder
export HOME=$folder/home
# Node; then OpenSSL, and with it Python and websocat, and the command line of Tidings; then curl.
export NODE_EXTRA_CA_CERTS=$folder/ca.pem SSL_CERT_FILE=$folder/ca.pem CURL_CA_BUNDLE=$folder/ca.pem
"$@"
