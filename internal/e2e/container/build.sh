#!/bin/bash
# Builds the root of the container that a Containerfile describes, by hand and
# without a container engine: every stage's steps, in order, with the same words.
# It is how the Containerfile is tested where there is no engine.
#
#	build-root.sh CONTAINERFILE CONTEXT BASE OUT [STAGE=PROGRAM]
#
# BASE is a root tree that stands for the image of the last FROM (a debootstrap of
# the same release), OUT the root to make, a copy of it. Stages before the last
# are not carried out: what COPY --from takes of a STAGE is the file PROGRAM.
# It prints the image's settings as KEY=VALUE lines: USER, ENV, ENTRYPOINT, CMD,
# HEALTHCHECK, VOLUME, STOPSIGNAL. A step that it does not know is an error.
# Needs root.
set -euo pipefail
file=$1 context=$2 base=$3 out=$4
declare -A stage
for s in "${@:5}"; do stage[${s%%=*}]=${s#*=}; done

mkdir -p "$out"
cp -a --reflink=auto "$base/." "$out"

# Lines joined, comments and blank lines left out.
steps=$(sed -e '/^[[:space:]]*#/d' "$file" | sed -e ':a' -e '/\\$/{N;s/\\\n//;ta' -e '}' | sed -e '/^[[:space:]]*$/d')
last=$(grep -n '^FROM ' <<<"$steps" | tail -1 | cut -d: -f1)

inside() { # a command line in the root, as the RUN of an engine: /bin/sh -c
	chroot "$out" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root /bin/sh -c "$1"
}

n=0
while IFS= read -r step; do
	n=$((n + 1))
	[ $n -ge "$last" ] || continue
	word=${step%%[[:space:]]*} rest=${step#*[[:space:]]}
	case $word in
	FROM) ;;
	RUN)
		echo "RUN $rest" >&2
		inside "$rest" >&2
		;;
	COPY)
		echo "COPY $rest" >&2
		read -ra words <<<"$rest"
		case ${words[0]} in
		--from=*)
			from=${words[0]#--from=}
			install -D -m 755 "${stage[$from]:?no program for stage $from}" "$out${words[2]}"
			;;
		*) cp -a "$context/${words[0]}" "$out${words[1]}" ;;
		esac
		;;
	USER | ENV | ENTRYPOINT | CMD | HEALTHCHECK | VOLUME | STOPSIGNAL | WORKDIR | LABEL | EXPOSE | ARG)
		printf '%s=%s\n' "$word" "$(sed 's/[[:space:]]\+/ /g' <<<"$rest")"
		;;
	*)
		echo "build-root.sh: $word: unknown step" >&2
		exit 1
		;;
	esac
done <<<"$steps"
