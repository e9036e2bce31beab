#!/usr/bin/env bash
# Loads the sample catalogue into a running marketplace, over HTTP: artisans.jsonl (register, then verify) and
# products.jsonl (list). Needs curl and nothing else. Running it again changes nothing.
#
#   A4CO_URL=http://127.0.0.1:3000 infra/sample/load.sh
#
# In artisans.jsonl the first key of every line is the verification's level, in products.jsonl the artisan's id; the
# rest of the line is the request body as it is sent.
set -eu

url=${A4CO_URL:-http://127.0.0.1:3000}
url=${url%/}
here=$(cd "$(dirname "$0")" && pwd)
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
added=0
present=0

# post PATH KEY BODY: sets `status`. Ends the script where the server is away or says anything but yes or "taken".
post() {
  if ! status=$(curl --silent --show-error --max-time 30 --output "$answer" --write-out '%{http_code}' \
    --header 'content-type: application/json' --header "idempotency-key: $2" --data-binary "$3" "$url$1"); then
    echo "Cannot reach $url. Is the marketplace running (a4co up)? Another address goes into A4CO_URL." >&2
    exit 1
  fi
  case $status in
    2??) return ;;
    409) if grep -q '"code":"\(artisan\|product\)-exists"' "$answer"; then return; fi ;;
  esac
  detail=$(sed -n 's/.*"detail":"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$answer" | sed 's/\\"/"/g')
  echo "POST $1 ($2) was answered $status: ${detail:-$(cat "$answer")}" >&2
  exit 1
}

# count: adds the last answer to the summary.
count() {
  if [ "$status" = 409 ]; then present=$((present + 1)); else added=$((added + 1)); fi
}

# first LINE KEY: the value of the line's first key; `rest` becomes the line without it.
first() {
  value=${1#"{\"$2\":\""}
  value=${value%%\"*}
  rest="{${1#"{\"$2\":\"$value\","}"
}

artisans=0
while IFS= read -r line; do
  [ -n "$line" ] || continue
  first "$line" verificationLevel
  level=$value
  body=$rest
  first "$body" artisanId
  id=$value
  post /api/v1/artisans "sample-artisan-$id" "$body"
  count
  artisans=$((artisans + 1))
  if [ "$status" != 409 ]; then
    post "/api/v1/artisans/$id/verify" "sample-verification-$id" \
      "{\"verificationLevel\":\"$level\",\"verifiedBy\":\"sample\",\"backgroundCheckPassed\":true,\"insuranceValidated\":true}"
  fi
done < "$here/artisans.jsonl"

products=0
while IFS= read -r line; do
  [ -n "$line" ] || continue
  first "$line" artisanId
  artisan=$value
  body=$rest
  first "$body" productId
  post "/api/v1/artisans/$artisan/products" "sample-product-$value" "$body"
  count
  products=$((products + 1))
done < "$here/products.jsonl"

echo "$artisans artisans and $products products are in the catalogue of $url ($added accepted, $present were there already)."
echo "Try: curl '$url/api/v1/products/search?q=aceite' and '$url/api/v1/artisans/nearby?lat=38.01&lng=-3.37&radiusKm=25'"
