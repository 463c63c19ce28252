# shellcheck shell=sh
# Runs first: boxdoctor takes the time at which this line arrives.
tag now "$(date '+%s %N')"
