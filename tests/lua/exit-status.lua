-- SPDX-License-Identifier: Apache-2.0
-- expect: exit 7
-- A status of the program's own; what is pending is flushed.
io.write("without an end of line")
os.exit(7)
