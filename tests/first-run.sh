#!/usr/bin/env bash
# What a newcomer does first, with the commands of the README: builds and starts the marketplace, loads the catalogue,
# orders something, and sees it confirmed. Leaves nothing behind. With A4CO_BIN it runs that host instead of `cargo run`.
set -euo pipefail
cd "$(dirname "$0")/.."

state=$(mktemp -d)
run=(cargo run --release --quiet --)
[[ -z ${A4CO_BIN:-} ]] || run=("$A4CO_BIN")
"${run[@]}" up --build --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --state-dir "$state" \
  >"$state/screen" 2>"$state/log" &
host=$!
stop() {
  kill -TERM "$host" 2>/dev/null || true
  wait "$host" 2>/dev/null || true
  rm -rf "$state"
}
trap stop EXIT

fail() {
  echo "$1" >&2
  cat "$state/screen" "$state/log" >&2
  exit 1
}

# A first build takes minutes.
deadline=$((SECONDS + 1500))
until url=$(grep -oE 'application +http://[0-9.:]+' "$state/screen" | grep -oE 'http://[0-9.:]+'); do
  kill -0 "$host" 2>/dev/null || fail "the host did not start"
  ((SECONDS < deadline)) || fail "the host did not start in time"
  sleep 0.5
done

A4CO_URL=$url infra/sample/load.sh
order=$(curl -sS --fail-with-body "$url/api/v1/orders" -H 'Idempotency-Key: first-run' -d '{
  "customerId": "user-lucia", "orderType": "delivery", "currency": "EUR", "paymentMethodId": "tok_ok",
  "items": [{"productId": "prod-cuenco-ubeda-01", "quantity": 1}],
  "deliveryAddress": {"street": "Calle Maestra 12", "city": "Jaén", "postalCode": "23001"}}')
id=$(grep -oE '"orderId": ?"[^"]+"' <<<"$order" | head -1 | cut -d'"' -f4)

deadline=$((SECONDS + 30))
until curl -sS "$url/api/v1/orders/$id" | grep -qE '"status": ?"confirmed"'; do
  ((SECONDS < deadline)) || fail "order $id was not confirmed in time"
  sleep 0.1
done
echo "order $id is confirmed"
