#!/bin/sh
# What the removal of a second factor means, shown with the program itself and curl.
#
#   test/scenarios/factor-removal.sh                         one process, the embedded database
#   DATABASE=postgres://... test/scenarios/factor-removal.sh two processes on an empty PostgreSQL database
#
# Needs a POSIX shell, curl, and Go, but for who names what Go would build: GATEHOUSE (the
# program) and DEVICE (test/scenarios/device, the people's authenticator app and passkey).
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
nodes=
trap 'for node in $nodes; do kill "$node" 2>/dev/null && wait "$node"; done; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

say() { printf '\n== %s\n' "$*"; }
die() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }

build() { (cd "$root" && CGO_ENABLED=0 go build -o "$work/$1" "./$2") && echo "$work/$1"; }
gatehouse=${GATEHOUSE:-$(build gatehouse cmd/gatehouse)}
device=${DEVICE:-$(build device test/scenarios/device)}

# start NAME: runs a node in the folder NAME until the end.
start() {
	"$gatehouse" start --dev --data "$work/$1" --listen localhost:0 ${DATABASE:+--database "$DATABASE"} >"$work/$1.out" 2>"$work/$1.log" &
	nodes="$nodes $!"
	for _ in $(seq 200); do
		if grep -q 'for scripts' "$work/$1.out"; then return; fi
		sleep 0.1
	done
	die "node $1 does not start: $(cat "$work/$1.log")"
}
url() { sed -n 's/^Gatehouse is ready at \([^ ]*\) .*/\1/p' "$work/$1.out"; }
mailbox() { sed -n 's/.* at \([^ ]*\) (.*for scripts.*/\1.json/p' "$work/$1.out"; }

# send NODE METHOD PATH [BODY]: the reply is in $work/reply, its status in $status. The
# caller is the one whose token is in $as.
send() {
	status=$(curl -sS -o "$work/reply" -w '%{http_code}' -X "$2" -H "Authorization: Bearer $as" -H 'Content-Type: application/json' ${4:+-d "$4"} "$1$3")
}
# call is send for what must succeed, refused STATUS for what must not.
call() { send "$@"; case $status in 2*) ;; *) die "$2 $3: $status $(cat "$work/reply")" ;; esac; }
refused() {
	want=$1
	shift
	send "$@"
	[ "$status" = "$want" ] || die "$2 $3: $status, not $want: $(cat "$work/reply")"
}
# field NAME: the text in the reply. shows TEXT: the reply has it, whatever its spaces.
field() { sed -n 's/.*"'"$1"'": *\[*"\([^"]*\)".*/\1/p' "$work/reply"; }
shows() { tr -d ' \n' <"$work/reply" | grep -qF "$1" || die "the reply does not show $1: $(cat "$work/reply")"; }
message() { sed -n 's/.*"code":[ 0-9]*, *"message": *"\([^"]*\)".*/\1/p' "$work/reply"; }

# mailed RECIPIENT: the code of the newest message to somebody, from the mailbox of the
# node that would have sent it.
mailed() {
	for _ in $(seq 100); do
		for name in $names; do
			code=$(curl -sS "$(mailbox "$name")?recipient=$1" | sed -n 's/^{"messages":\[{[^}]*"code":"\([^"]*\)".*/\1/p')
			if [ "$code" ]; then return; fi
		done
		sleep 0.1
	done
	die "no message to $1"
}

# session NODE CHECKS [CHALLENGES]: a new session, whose id and token are in $session and
# $token. prove NODE CHECKS: checks more in it.
session() {
	call "$1" POST /v2/sessions "{\"checks\":{$2}${3:+,\"challenges\":{$3\}}}"
	session=$(field sessionId) token=$(field sessionToken)
}
prove() { call "$1" PATCH "/v2/sessions/$session" "{\"checks\":{$2}}"; token=$(field sessionToken); }
# whoami STATUS: whether the session lets its user in, on every node.
whoami() {
	for node in $everywhere; do
		(as=$token; if [ "$1" = 200 ]; then call "$node" GET /auth/v1/users/me; else refused "$1" "$node" GET /auth/v1/users/me; shows AUTH-assurance; fi)
	done
}
with() { printf '"user":{"loginName":"%s"},"password":{"password":"Correct-Horse-1"}' "$1"; }
totp() { printf '"totp":{"code":"%s"}' "$("$device" totp "$@")"; }

say "Start"
names=a
start a
if [ "${DATABASE:-}" ]; then
	names='a b'
	mkdir "$work/b"
	cp "$work/a/master.key" "$work/b/"
	start b
fi
a=$(url a) b=$(url "${names#a }") everywhere=$a
if [ "$a" != "$b" ]; then everywhere="$a $b"; fi
echo "$everywhere"
as=$(cat "$work/a/admin.token")
policy=/management/v1/policies/login
call "$a" GET /management/v1/orgs/me
org=$(sed -n 's/.*"org": *{ *"id": *"\([^"]*\)".*/\1/p' "$work/reply")
call "$a" POST $policy '{"allowUsernamePassword":true,"passwordlessType":1,"forceMfa":true,"secondFactors":[1,2,3,5],"multiFactors":[1],
	"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s","multiFactorCheckLifetime":"43200s"}'

person() {
	call "$a" POST /v2/users/human '{"username":"'"$1"'","profile":{"givenName":"'"$1"'","familyName":"Example"},
		"email":{"email":"'"$1"'@example.com","isVerified":true},"password":{"password":"Correct-Horse-1"}}'
	id=$(field userId)
	call "$a" POST "/v2/users/$id/totp" '{}'
	secret=$(field secret)
	call "$a" POST "/v2/users/$id/totp/verify" '{"code":"'"$("$device" totp "$secret" -1)"'"}'
}
say "Bob has an authenticator app. Ada has one, and mail, a passkey and recovery codes"
person bob
bob=$id
person ada
ada=$id app=$secret
call "$a" POST "/v2/users/$ada/otp_email" '{}'
call "$a" POST "/v2/users/$ada/passkeys" '{"domain":"localhost"}'
passkey=$(field passkeyId)
answer=$("$device" create "$work/passkey" "$a" <"$work/reply")
call "$a" POST "/v2/users/$ada/passkeys/$passkey" "{\"publicKeyCredential\":$answer,\"passkeyName\":\"Phone\"}"
call "$a" POST "/v2/users/$ada/recovery_codes" '{"count":5}'
recovery=$(field recoveryCodes)
call "$b" GET "/v2/users/$ada/authentication_methods"
for method in TOTP OTP_EMAIL PASSKEY RECOVERY_CODE; do shows "AUTHENTICATION_METHOD_TYPE_$method"; done

say "Ada logs in by each of them, and a password alone is not enough"
session "$a" "$(with ada)"
whoami 401
session "$a" "$(with ada)" '"otpEmail":{"sendCode":{}}'
mailed ada@example.com
prove "$a" '"otpEmail":{"code":"'"$code"'"}'
whoami 200
session "$a" '"user":{"loginName":"ada"}' '"webAuthN":{"domain":"localhost","userVerificationRequirement":1}'
answer=$("$device" get "$work/passkey" "$a" <"$work/reply")
prove "$a" "\"webAuthN\":{\"credentialAssertionData\":$answer}"
whoami 200
session "$a" "$(with ada),\"recoveryCode\":{\"code\":\"$recovery\"}"
whoami 200
session "$a" "$(with ada),$(totp "$app")"
whoami 200

say "What the removal of the authenticator app would do"
"$gatehouse" policy preview --data "$work/a" ${DATABASE:+--database "$DATABASE"} --organization "$org" --remove-second-factor otp | tee "$work/reply"
shows '2peoplehavesetupwhatwouldbetakenaway;1ofthemwouldkeepnolistedfactor'
shows '1sessionswouldnotbeenough'

say "Remove it on $a"
call "$a" DELETE $policy/second_factors/1
code=$(totp "$app" 1)
for node in $everywhere; do
	refused 400 "$node" PATCH "/v2/sessions/$session" "{\"checks\":{$code}}"
	shows SESSION-factor
	echo "$node refuses the code: $(message)"
done
whoami 401
echo "So is the session refused that was proved with it."
for node in $everywhere; do
	call "$node" GET "/gatehouse/v1/sessions/$session/assurance"
	shows '"need":"ASSURANCE_NEED_SECOND_FACTOR","options":["passkey","otp-email","recovery-code"],"counted":["password"]'
done
echo "Ada is told which of her other factors to use."
proved=$session kept=$token
session "$b" "$(with bob)"
for node in $everywhere; do
	call "$node" GET "/gatehouse/v1/sessions/$session/assurance"
	shows '"need":"ASSURANCE_NEED_ENROLMENT","options":["passkey","u2f","otp-email"]'
done
echo "Bob, who has no other, is told what to set up."
refused 400 "$b" POST "/v2/users/$bob/totp" '{}'
echo "An authenticator app is not among it: $(message)"

say "Add it again on $b"
call "$b" POST $policy/second_factors '{"type":1}'
session=$proved token=$kept
whoami 200
prove "$a" "$code"
whoami 200
call "$a" GET "/v2/users/$bob/authentication_methods"
shows AUTHENTICATION_METHOD_TYPE_TOTP
echo "The session counts again, Ada's app is good as it was, and Bob's is still there."

say "The log and the tables agree"
"$gatehouse" verify --data "$work/a" ${DATABASE:+--database "$DATABASE"}
