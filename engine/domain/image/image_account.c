/* image_account.c - accounts as entities, and back (image.h)
 *
 * Order: the accounts as they were opened, each followed by its ledger rows; then the transfers by
 * payment; then the totals, which every account partition has; then the keys of charges by age.
 */
#include <stdlib.h>

#include "engine/domain/account/account_rules.h"
#include "engine/domain/image/image_parts.h"

/* --- save ------------------------------------------------------------------------------------- */

static int save_account(const struct account_partition *all, const struct account *account,
                        const struct image_sink *sink) {
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    uint32_t count = account_history(all, account, rows);
    struct entity entity = {.kind = ENTITY_ACCOUNT};
    entity.account = (struct entity_account){.user = account->user,
                                             .balance = account->balance,
                                             .reserved = account->reserved,
                                             .charged = account->charged,
                                             .rows = account->rows,
                                             .chain = account->chain};
    int result = image_put(sink, &entity);
    entity.kind = ENTITY_LEDGER_ROW;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        entity.ledger_row = (struct entity_ledger_row){.time_ms = rows[i]->time_ms,
                                                       .reason = rows[i]->reason,
                                                       .amount = rows[i]->amount,
                                                       .balance = rows[i]->balance,
                                                       .payment = rows[i]->payment,
                                                       .reservation = rows[i]->reservation,
                                                       .key = rows[i]->key};
        result = image_put(sink, &entity);
    }
    return result;
}

static int save_transfers(const struct account_partition *all, const struct image_sink *sink) {
    struct transfer *transfers = account_transfers(all);
    struct entity entity = {.kind = ENTITY_TRANSFER};
    int result = 0;
    for (uint32_t i = 0; i < all->transfer_open && result == 0; i++) {
        entity.transfer = (struct entity_transfer){
            .payment = transfers[i].payment,
            .reservation = transfers[i].reservation,
            .user = account_at(all, transfers[i].account)->user,
            .amount = transfers[i].amount,
            .state = transfers[i].state};
        result = image_put(sink, &entity);
    }
    free(transfers);
    return result;
}

static int save_keys(const struct account_partition *all, const struct image_sink *sink) {
    struct entity entity = {.kind = ENTITY_CHARGE_KEY};
    const struct charge_key *saved;
    uint32_t slot = CHARGE_KEY_NONE;
    int result = 0;
    while (result == 0 && (saved = charge_keys_next(all, &slot)) != NULL) {
        entity.charge_key = (struct entity_charge_key){
            .user = account_at(all, saved->account)->user,
            .key = saved->key,
            .amount = saved->amount,
            .balance = saved->balance,
            .time_ms = saved->time_ms};
        result = image_put(sink, &entity);
    }
    return result;
}

int image_save_accounts(const struct partition *partition, const struct image_sink *sink) {
    const struct account_partition *all = (const struct account_partition *)partition;
    int result = 0;
    for (uint32_t i = 0; i < all->account_count && result == 0; i++) {
        result = save_account(all, account_at(all, i), sink);
    }
    if (result == 0) result = save_transfers(all, sink);
    struct entity entity = {.kind = ENTITY_TOTALS};
    entity.totals = (struct entity_totals){.charged = (uint64_t)all->totals.charged,
                                           .balances = (uint64_t)all->totals.balances,
                                           .reserved = (uint64_t)all->totals.reserved,
                                           .spent = (uint64_t)all->totals.spent,
                                           .refunded = (uint64_t)all->totals.refunded};
    if (result == 0) result = image_put(sink, &entity);
    return result == 0 ? save_keys(all, sink) : result;
}

/* --- load ------------------------------------------------------------------------------------- */

static const char *close_account(struct image_loader *loader) {
    if (!loader->account_open) return NULL;
    loader->account_open = false;
    return account_restore((struct account_partition *)loader->partition, &loader->account,
                           loader->rows, loader->row_count);
}

static const char *load_transfer(struct image_loader *loader, const struct entity_transfer *saved) {
    const struct catalogue *catalogue = (const struct catalogue *)loader->world->catalogue;
    if (!image_rises(loader, saved->payment)) return "transfers are out of order";
    if (dated_id_date(saved->payment) > catalogue->date_count) {
        return "a transfer of a date that does not exist";
    }
    return account_restore_transfer((struct account_partition *)loader->partition, saved);
}

const char *image_load_accounts(struct image_loader *loader, const struct entity *entity) {
    bool key = entity->kind == ENTITY_CHARGE_KEY;
    bool totals_are_there = loader->kind == ENTITY_TOTALS || loader->kind == ENTITY_CHARGE_KEY;
    if (totals_are_there && !key) return "nothing but keys comes after the totals";
    if (key && !totals_are_there) return "the totals are missing";
    if (key) {
        return account_restore_key((struct account_partition *)loader->partition,
                                   &entity->charge_key);
    }
    if (entity->kind == ENTITY_LEDGER_ROW) {
        if (!loader->account_open) return "a ledger row without account";
        if (loader->row_count == WALLET_HISTORY_KEPT) return "too many ledger rows";
        loader->rows[loader->row_count++] = entity->ledger_row;
        return NULL;
    }
    const char *wrong = close_account(loader);
    if (wrong) return wrong;
    switch (entity->kind) {
    case ENTITY_ACCOUNT:
        loader->account = entity->account;
        loader->account_open = true;
        loader->row_count = 0;
        return NULL;
    case ENTITY_TRANSFER: return load_transfer(loader, &entity->transfer);
    default: loader->totals = entity->totals; return NULL;
    }
}

const char *image_end_accounts(struct image_loader *loader) {
    if (loader->kind != ENTITY_TOTALS && loader->kind != ENTITY_CHARGE_KEY) {
        return "the totals are missing";
    }
    return account_restored((struct account_partition *)loader->partition, &loader->totals);
}
