#!/usr/bin/env bash
# Makes a certificate authority and a certificate of it for localhost and 127.0.0.1:  bash authority.sh FOLDER
# In the folder are then ca.pem, which clients trust, and chain.pem and key.pem, which the server has.
set -euo pipefail
cd "$1"
# As long as a real one: what looks at certificates complains of shorter and longer ones.
days=90

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj "/O=Tidings tests/CN=Tidings tests CA" \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem 2> openssl.log
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=Tidings tests/CN=localhost" -keyout key.pem -out leaf.csr 2>> openssl.log
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -out leaf.pem 2>> openssl.log -extfile <(
  printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth \
    subjectAltName=DNS:localhost,IP:127.0.0.1
)
cp leaf.pem chain.pem
