# SPDX-License-Identifier: Apache-2.0
#
# Lua on the host: $(H)/lua SCRIPT ARGS, and one for each variant, $(H)/VARIANT/lua/hgc. Stock Lua, to compare with, is an ordinary
# program: $(H)/plain/lua/stock.
#
# Under thread sanitizer Lua's own files keep their atomic operations and calls, but ordinary accesses are not looked at: their stores
# race with the marker's reads by design (docs/testing.md has the reason).
lua_variants := plain asan tsan
lua_host_own := $(filter-out main repl edit hgc,$(lua_own_hgc)) host
lua_host_flags = -include ports/lua/host.h $(lua_flags_hgc)
lua_san_flags_tsan := -mllvm -tsan-instrument-memory-accesses=0 -mllvm -tsan-instrument-memintrinsics=0
lua_host_theirs = $(filter-out $(warn),$(host_cflags)) $(lua_host_flags) $(lua_san_flags_$(1))

define lua_host_rules
$(H)/$(1)/lua/flags: FORCE
	$$(call flags_file,$$(cc_$(1)) $$(call lua_host_theirs,$(1)) $$(flags_$(1)) / $$(lua_ldflags_hgc))
$(lua_names_hgc:%=$(H)/$(1)/lua/theirs/%.o): $(H)/$(1)/lua/theirs/%.o: $(L)/hgc/links $(H)/$(1)/lua/flags ports/lua/host.h
	$$(call say,CC,"$$*.c (lua, $(1))")
	@mkdir -p $$(@D)
	$(Q)$$(cc_$(1)) $$(call lua_host_theirs,$(1)) $$(flags_$(1)) $$(if $$(filter lua,$$*),-Dmain=lua_main) \
	    -c $(L)/hgc/$$*.c -o $$@
$(lua_host_own:%=$(H)/$(1)/lua/own/%.o): $(H)/$(1)/lua/own/%.o: ports/lua/%.c $(L)/hgc/links $(H)/$(1)/lua/flags
	$$(call say,CC,"$$< ($(1))")
	@mkdir -p $$(@D)
	$(Q)$$(cc_$(1)) $$(host_cflags) $$(lua_flags_hgc) $$(flags_$(1)) -c $$< -o $$@
$(H)/$(1)/lua/hgc: $(lua_names_hgc:%=$(H)/$(1)/lua/theirs/%.o) $(lua_host_own:%=$(H)/$(1)/lua/own/%.o) $(H)/$(1)/libhartgc.a
	$$(call say,LD,$$@)
	$(Q)$$(cc_$(1)) $$(flags_$(1)) -pthread $$(lua_ldflags_hgc) $$(filter %.o %.a,$$^) -lm -o $$@
endef
$(foreach variant,$(lua_variants),$(eval $(call lua_host_rules,$(variant))))

$(lua_names_stock:%=$(H)/plain/lua/stocks/%.o): $(H)/plain/lua/stocks/%.o: $(L)/stock/links $(H)/plain/lua/flags
	$(call say,CC,"$*.c (lua, stock)")
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -g $(call lua_include,stock) -c $(L)/stock/$*.c -o $@
$(H)/plain/lua/stock: $(lua_names_stock:%=$(H)/plain/lua/stocks/%.o)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -Wl,--no-warnings $^ -lm -o $@

$(H)/lua: $(H)/plain/lua/hgc
	@cp $< $@

lua_host_programs := $(H)/plain/lua/stock $(lua_variants:%=$(H)/%/lua/hgc)
ifneq ($(building),)
-include $(wildcard $(foreach variant,$(lua_variants),$(H)/$(variant)/lua/*/*.d))
endif
