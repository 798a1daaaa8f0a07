#!/bin/sh
# Makes the database when there is none, then becomes the server.
set -eu

if [ "${1:-}" = "${1#-}" ] && [ "${1:-postgres}" != postgres ]; then
	exec "$@"
fi
[ "${1:-}" != postgres ] || shift

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
mkdir -p "$PGDATA"
# A volume that is given to a group is opened to it at each mount, and the server refuses such a folder.
chmod 700 "$PGDATA" 2>/dev/null || true
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	password=${POSTGRES_PASSWORD:-}
	if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(cat "$POSTGRES_PASSWORD_FILE"); fi
	if [ -z "$password" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
		echo "POSTGRES_PASSWORD is not set, and a database without one is open to everybody." >&2
		exit 1
	fi
	secret=/tmp/.pgpass.$$
	(umask 077 && printf '%s\n' "${password:-none}" >"$secret")
	initdb --username="$user" --pwfile="$secret" --auth-local=trust \
		--auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-} "$PGDATA"
	rm -f "$secret"
	printf 'host all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
	# Nobody but this script reaches the server until it is set up.
	pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/tmp" -w start
	if [ "$database" != postgres ]; then
		createdb --host=/tmp --username="$user" "$database"
	fi
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sql) psql -v ON_ERROR_STOP=1 --host=/tmp --username="$user" --dbname="$database" --file="$file" ;;
		*.sh) . "$file" ;;
		esac
	done
	pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c "listen_addresses=*" "$@"
