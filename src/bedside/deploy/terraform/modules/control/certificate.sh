#!/bin/bash
# Gets this machine's certificate and keeps it current: once with --first when the machine is set up, then by a
# timer. nginx has a copy of the pair, self-signed until there is a real one, so that it starts in any case.
set -euo pipefail
domain='' address='' kept='' acme_server='' key_reader=''
# shellcheck source=/dev/null
source /etc/bedside/control

letsencrypt=/etc/letsencrypt
live=$letsencrypt/live/$domain
tls=/etc/bedside/tls
webroot=/var/lib/bedside-acme
umask 077

# The receiver of C-STORE uses the same pair, and sees by itself that it is a new one.
share() {
  if [[ $key_reader ]]; then
    chgrp "$key_reader" "$tls/privkey.pem"
    chmod 0640 "$tls/privkey.pem"
  fi
}

# The key first: nginx is told only when both are there.
take() {
  install --mode 0600 "$live/privkey.pem" "$tls/privkey.pem"
  share
  install --mode 0644 "$live/fullchain.pem" "$tls/fullchain.pem"
}

if [[ ${1:-} == --first ]]; then
  install --directory --mode 0755 "$tls" "$webroot"
  install --directory --mode 0700 "$letsencrypt"
  before=$(mktemp)
  # What the machine before this one got. The first machine finds none.
  if aws s3 cp --only-show-errors "$kept" "$before"; then
    tar --extract --file "$before" --directory "$letsencrypt" || echo "certificate: the kept one cannot be read"
  fi
  rm "$before"
  if [[ -e $live/fullchain.pem ]]; then
    take
  else
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \
      -subj "/CN=not yet certified" -keyout "$tls/privkey.pem" -out "$tls/fullchain.pem" 2>/dev/null
    share
  fi
  exit
fi

# Asking for a name that points elsewhere fails, and Let's Encrypt permits five failures in an hour.
found=$(getent ahostsv4 "$domain" | cut -d ' ' -f 1 | sort -u | tr '\n' ' ' || true)
if [[ " $found" != *" $address "* ]]; then
  echo "certificate: $domain points to ${found:-nothing}, and must to $address"
  exit
fi

# Does nothing but look at the date until 30 days of its life are left.
certbot certonly --quiet --non-interactive --agree-tos --register-unsafely-without-email \
  --server "$acme_server" --webroot --webroot-path "$webroot" --domain "$domain" \
  --keep-until-expiring --key-type ecdsa \
  --config-dir "$letsencrypt" --work-dir /var/lib/letsencrypt --logs-dir /var/log/letsencrypt

if ! cmp --silent "$live/fullchain.pem" "$tls/fullchain.pem"; then
  take
  nginx -t -q
  systemctl reload nginx.service
  echo "certificate: new, until $(openssl x509 -in "$tls/fullchain.pem" -noout -enddate | cut -d = -f 2)"
  # For the machine after this one.
  after=$(mktemp)
  tar --create --file "$after" --directory "$letsencrypt" .
  aws s3 cp --only-show-errors "$after" "$kept"
  rm "$after"
fi
