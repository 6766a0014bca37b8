/* encode_account.c - what an account partition answers, to bytes: wallets and their history */
#include "engine/base/require.h"
#include "engine/domain/account/account.h"
#include "net/protocol/encode_parts.h"

void encode_wallet(struct value_writer *writer, const struct reply *reply) {
    value_write_map(writer, 3);
    encode_user(writer, &reply->wallet.user);
    value_write_pair_uint(writer, "balance", reply->wallet.balance);
    value_write_pair_uint(writer, "reserved", reply->wallet.reserved);
}

void encode_history(struct value_writer *writer, const struct reply *reply) {
    const struct account *account = reply->history.account;
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    uint32_t count = account ? account_history(reply->history.partition, account, rows) : 0;
    REQUIRE(count <= WALLET_HISTORY_KEPT);
    value_write_map(writer, 3);
    encode_user(writer, &reply->history.user);
    value_write_text(writer, "rows");
    value_write_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct ledger_row *row = rows[i];
        uint32_t dated = (row->payment != 0) + (row->reservation != 0);
        value_write_map(writer, 4 + dated);
        value_write_pair_text(writer, "reason", ledger_reason_name(row->reason));
        value_write_pair_uint(writer, "amount", row->amount);
        value_write_pair_uint(writer, "balance", row->balance);
        value_write_pair_uint(writer, "time", row->time_ms);
        if (row->payment) value_write_pair_uint(writer, "payment", row->payment);
        if (row->reservation) value_write_pair_uint(writer, "reservation", row->reservation);
    }
    value_write_pair_uint(writer, "rows_total", account ? account->rows : 0);
}
