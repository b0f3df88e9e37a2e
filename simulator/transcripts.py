"""What people say on air, in the words that the vendors' recognisers would return."""

from dataclasses import dataclass
from enum import StrEnum


class Theme(StrEnum):
    """What is wrong with an utterance, before any vendor has put it into its own words."""

    POLITICS = "politics"
    TERRORISM = "terrorism"
    PORN = "porn"
    ABUSE = "abuse"
    AD = "ad"
    CONTRABAND = "contraband"
    SPAM = "spam"
    NOVEL = "novel"  # a risk for which the vendor has just begun to use a label that nobody knows yet


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, and the word in it that a keyword list would hit."""

    text: str
    keyword: str = ""


HARMLESS: tuple[Line, ...] = (
    Line("欢迎大家来到直播间，喜欢主播的点点关注"),
    Line("今天给大家唱一首老歌，想听什么打在公屏上"),
    Line("刚刚那位朋友送的礼物收到了，谢谢榜一大哥"),
    Line("坚持爱汇仁牌六味地黄丸，孩子的数学作业记得拍一下"),
    Line("那就不好打吗，我先去上路支援，你们守住水晶"),
    Line("我这边声音正常吗，听得见的扣个一"),
    Line("周末天气好的话，准备带爸妈去公园走走"),
    Line("这道题先把公式写出来，然后再代入数值"),
    Line("我们下一位连麦的朋友在哪里，请自我介绍一下"),
    Line("时间不早了，再聊十分钟就下播，大家早点休息"),
)

MISBEHAVING: dict[Theme, tuple[Line, ...]] = {
    Theme.POLITICS: (
        Line("那位领导的内幕我只在这个房间里讲，你们懂的", "内幕"),
        Line("这首歌改成这样唱，我看谁来管", "改成这样唱"),
    ),
    Theme.TERRORISM: (
        Line("想知道那种会炸的东西怎么弄，等下私下讲", "会炸"),
        Line("谁不服就带人带家伙去他们楼下", "带家伙"),
    ),
    Theme.PORN: (
        Line("晚上十二点来我的小房间，给你们看点不一样的", "小房间"),
        Line("刷到一百个就脱一件，说话算话", "脱一件"),
    ),
    Theme.ABUSE: (
        Line("你是不是没长脑子，滚出这个房间", "没长脑子"),
        Line("就你这种废物也配上麦", "废物"),
    ),
    Theme.AD: (
        Line("兼职日结三百，加我微信 abc778899 详聊", "加我微信"),
        Line("元大奖详询3398787，名额有限", "3398787"),
    ),
    Theme.CONTRABAND: (
        Line("处方药不用处方，私聊我当天发货", "处方药"),
        Line("代开发票，各行各业都可以", "代开发票"),
    ),
    Theme.SPAM: (
        Line("扣一扣一扣一扣一扣一刷起来刷起来", "扣一"),
        Line("啦啦啦啦啦啦啦啦啦啦啦啦", "啦啦啦"),
    ),
    Theme.NOVEL: (Line("我用软件合成了他妈妈的声音，打电话他真信了", "合成"),),
}
