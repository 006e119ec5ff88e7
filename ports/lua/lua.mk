# SPDX-License-Identifier: Apache-2.0
#
# Lua 5.4.4 on the kernel and libc/. Lua's own files are those that tools/lua-source fetches, and are compiled as they
# are. The Makefile includes this file before its targets.
#
# LUA says with which collector:
#   stock    all of Lua's files, and newlib's malloc
#   hgc      a folder of links to Lua's files without lgc.c and lgc.h, which are ports/lua's: an #include "lgc.h" finds
#            the file beside the one that includes it first, so the one to be left out must not lie there
#
# For each, $(B)/lua/LUA/image/NAME.elf is the interpreter: its arguments are the boot arguments after "--", and it
# finds the files that are named with lua_image below.

L := $(O)/lua
lua_core := lapi lcode lctype ldebug ldo ldump lfunc llex lmem lobject lopcodes lparser lstate lstring ltable ltm \
    lundump lvm lzio lauxlib lbaselib lcorolib ldblib liolib lmathlib loadlib loslib lstrlib ltablib lutf8lib linit lua
lua_names_stock := $(lua_core) lgc
lua_names_hgc := $(lua_core)
# What is ours beside main.c; and what an image of bench/lua has besides, with the calls that it looks at.
lua_own_stock := main repl edit stock
lua_own_hgc := main repl edit hgc lgc state trace weak strings
measure_stock := measure measure_stock
measure_hgc := measure measure_hgc
measure_ldflags_hgc := -Wl,--wrap=lua_main -Wl,--wrap=_sbrk
measure_ldflags_stock := $(measure_ldflags_hgc) -Wl,--wrap=luaC_step -Wl,--wrap=luaC_fullgc -Wl,--wrap=luaC_changemode \
    -Wl,--wrap=__malloc_lock -Wl,--wrap=__malloc_unlock

# The hooks into Lua's files that need the linker: calls of these go to __wrap_NAME in ports/lua.
LUA_WRAPS := lua_newstate lua_getallocf lua_setallocf lua_setmetatable lua_upvaluejoin lua_xmove luaE_extendCI lua_gc
# And those that need the compiler.
LUA_HOOKS :=

# Warnings are for what is ours. lua.c's main is called by ours, in a task with a stack for it.
lua_include = -Iports/lua/include -I$(L)/$(1)
lua_flags_stock := $(call lua_include,stock)
lua_flags_hgc := -Iports/lua $(call lua_include,hgc) $(LUA_HOOKS)
lua_ldflags_hgc := $(LUA_WRAPS:%=-Wl,--wrap=%)
lua_cflags = $(filter-out $(warn),$(cflags_app)) $(lua_flags_$(1)) $(if $(filter lua,$(2)),$(lua_c_flags))
lua_c_flags := -Dmain=lua_main -include ports/lua/repl.h
lua_own_cflags = $(cflags_app) $(lua_flags_$(1))

$(L)/stamp: tools/lua-source
	$(Q)tools/lua-source $(L) && touch $@

# Links to the files of Lua; with hgc without its collector.
$(L)/stock/links $(L)/hgc/links: $(L)/%/links: $(L)/stamp
	@rm -rf $(@D) && mkdir -p $(@D) && cd $(@D) && ln -s ../source/src/*.[ch] . && \
	    $(if $(filter hgc,$*),rm lgc.c lgc.h &&) touch links

# The dependencies that the compiler writes name the links, which come and go with these.
$(foreach lua,stock hgc,$(eval $(lua_names_$(lua):%=$(L)/$(lua)/%.c): $(L)/$(lua)/links ;))

define lua_rules
$(B)/lua/$(1)/flags: FORCE
	$$(call flags_file,$$(CROSS) $$(call lua_cflags,$(1),lua) / $$(lua_ldflags_$(1)))
$(lua_names_$(1):%=$(B)/lua/$(1)/%.o): $(B)/lua/$(1)/%.o: $(L)/$(1)/links $(B)/lua/$(1)/flags | $(NEWLIB)/stamp
	$$(call say,CC,"$$*.c (lua, $(1))")
	$(Q)$(CROSS)gcc $$(call lua_cflags,$(1),$$*) -c $(L)/$(1)/$$*.c -o $$@
$(patsubst %,$(B)/lua/$(1)/own/%.o,$(lua_own_$(1)) $(measure_$(1))): $(B)/lua/$(1)/own/%.o: ports/lua/%.c \
    $(L)/$(1)/links $(B)/lua/$(1)/flags | $(NEWLIB)/stamp
	$$(call say,CC,"$$< ($(1))")
	@mkdir -p $$(@D)
	$(Q)$(CROSS)gcc $$(call lua_own_cflags,$(1)) -c $$< -o $$@
lua_objs_$(1) := $(lua_names_$(1):%=$(B)/lua/$(1)/%.o) $(lua_own_$(1):%=$(B)/lua/$(1)/own/%.o)
ifneq ($(building),)
-include $$(lua_objs_$(1):.o=.d)
endif
endef
$(foreach lua,stock hgc,$(eval $(call lua_rules,$(lua))))

# An image: $(1) stock or hgc, $(2) its name, $(3) the files that Lua finds in it, by their paths in the tree, $(4)
# objects besides.
define lua_image
$(B)/lua/$(1)/image/$(2).S: $(3) ports/lua/lua.mk FORCE
	@mkdir -p $$(@D); { echo '/* Made by the Makefile. */'; for f in $(3); do \
	    printf '.section .rodata.libc_files, "a"\n.balign 16\n1: .incbin "%s"\n2: .byte 0\n3: .asciz "%s"\n' $$$$f $$$$f; \
	    printf '.section .libc_files, "a"\n.balign 8\n.dc.a 3b, 1b, 2b - 1b\n'; done; } >$$@.new; \
	    cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@
$(B)/lua/$(1)/image/$(2).o: $(B)/lua/$(1)/image/$(2).S $(3) $(B)/flags
	$(Q)$(CROSS)gcc $(cflags_core) -c $$< -o $$@
$(B)/lua/$(1)/image/$(2).elf: $(B)/lua/$(1)/image/$(2).o $(4) $(lua_objs_$(1)) $(core_objs) $(B)/hartgc.ld $(libs)
	$$(call say,LD,$$@)
	$(Q)$(CROSS)gcc $(ldflags) $(lua_ldflags_$(1)) $(if $(4),$(measure_ldflags_$(1))) -Wl,-Map=$$(@:.elf=.map) \
	    $$(filter %.o,$$^) $(link_libs) -o $$@
endef
lua_benches := $(sort $(wildcard bench/lua/*.lua))
lua_tests := $(sort $(wildcard tests/lua/*.lua tests/lua/long/*.lua tests/lua/data/*)) $(lua_benches)
$(foreach lua,stock hgc,$(eval $(call lua_image,$(lua),lua,)))
$(foreach lua,stock hgc,$(eval $(call lua_image,$(lua),tests,$(lua_tests))))
$(foreach lua,stock hgc,$(eval \
    $(call lua_image,$(lua),bench,$(lua_benches),$(measure_$(lua):%=$(B)/lua/$(lua)/own/%.o))))
ifneq ($(SCRIPT),)
$(foreach lua,stock hgc,$(eval $(call lua_image,$(lua),script,$(SCRIPT))))
endif

# Programs of ours that make Lua states: the applications of this list, and test images with such names. They are linked with
# Lua on hgc, but for the interpreter and its memory.
lua_apps := luastore
lua_images := $(filter lua-%,$(target_images))
lua_lib_objs := $(patsubst %,$(B)/lua/hgc/%.o,$(filter-out lua,$(lua_names_hgc)) \
    $(addprefix own/,$(filter-out main repl edit hgc,$(lua_own_hgc))))
lua_users := $(wildcard $(lua_apps:%=apps/%/*.c)) $(lua_images:%=tests/image/%.c)
$(foreach file,$(lua_users),$(eval flags_$(file) = $$(lua_flags_hgc)))
$(lua_apps:%=$(B)/apps/%.elf) $(lua_images:%=$(B)/tests/%.elf): $(lua_lib_objs)
$(call obj,$(B),$(lua_users)): | $(L)/hgc/links
$(B)/apps/luastore/main.o: $(wildcard apps/luastore/*.lua)

# What tools/lua-compare and tools/lua-console run. Ours is there as soon as its collector is.
luas := stock $(if $(wildcard ports/lua/lgc.c),hgc)
lua_stock_tests := $(B)/lua/stock/image/tests.elf
lua_our_tests := $(patsubst %,$(B)/lua/%/image/tests.elf,$(filter hgc,$(luas)))
lua_consoles := $(luas:%=$(B)/lua/%/image/lua.elf)
lua_test_images := $(lua_stock_tests) $(lua_our_tests) $(lua_consoles)
lua_benches_images := $(luas:%=$(B)/lua/%/image/bench.elf)
