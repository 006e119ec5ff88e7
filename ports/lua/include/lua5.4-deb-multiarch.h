/* SPDX-License-Identifier: Apache-2.0 */
/* What Debian's luaconf.h includes and Debian's build writes: the folder of C modules.  There are none here. */
#define DEB_HOST_MULTIARCH "riscv64-hartgc"
